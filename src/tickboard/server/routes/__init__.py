"""The routes that answer with a document."""
