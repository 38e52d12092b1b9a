"""The ASGI side of access: the gate, the login page, and the open streams that end with their credential."""
