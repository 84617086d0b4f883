"""The node, which connects the router core to transports, carries out its effects, and runs its timers."""
