"""The routes that stream: ticks over WebSocket, alerts as server-sent events."""
