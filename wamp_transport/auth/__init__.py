"""Authentication methods as pure functions."""
