"""The transports that carry WAMP messages between clients and the node."""
