"""The event loop: keeps it responsive and its tasks alive."""
