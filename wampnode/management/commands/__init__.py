"""Commands of the demo project."""
