"""The client for other programs: watch a board, push metrics to it, read its history. It loads no server."""
