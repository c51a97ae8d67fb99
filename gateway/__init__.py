"""The gateway: HTTP, WebSocket and server-sent events for phones and navigation clients."""
