"""What a stretch costs whom, and the ways of least cost: metrics, the hierarchy, searches, scores."""
