"""What keeps the event loop free and its tasks alive."""
