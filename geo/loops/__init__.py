"""Loops of a wanted length or duration, and ways home that still have some to walk."""
