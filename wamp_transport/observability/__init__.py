"""An empty package that is reserved for the counters, health checks and traces of a node."""
