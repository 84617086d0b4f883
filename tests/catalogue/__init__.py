"""Models of all sorts, for events of their rows: only tests know them."""
