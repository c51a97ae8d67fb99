"""From OpenStreetMap extracts to a base map: vector tiles to draw, and names of places to find."""
