"""The shell around the router core: it runs the core's effects and timers, and owns the connections."""
