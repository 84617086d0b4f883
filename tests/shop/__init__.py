"""A small shop: the app of a project whose handlers the tests call."""
