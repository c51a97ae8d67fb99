"""What a walker must be told along a path."""
