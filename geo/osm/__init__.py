"""From OpenStreetMap extracts to a graph: who may walk where, and what each stretch is like."""
