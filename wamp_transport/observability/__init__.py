"""The counters, health checks and traces of a node."""
