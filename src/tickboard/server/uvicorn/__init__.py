"""Uvicorn's server with our connection classes: listening, accepting, the gate, shutting down."""
