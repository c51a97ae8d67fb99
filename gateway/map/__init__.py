"""The base map over HTTP: tiles, style, icons, and the search of places."""
