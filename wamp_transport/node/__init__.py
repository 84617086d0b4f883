"""The shell around the router core: runs its effects, its timers and its connections."""
