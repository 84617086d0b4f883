"""The node: it connects the router core to transports, and runs the core's effects and timers."""
