"""A site with handlers and model events, for tests of several nodes."""
