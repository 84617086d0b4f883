"""The node, which connects the router core to transports and carries out the core's effects and timers."""
