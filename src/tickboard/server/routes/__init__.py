"""The routes that return documents."""
