"""The code that starts a node and connects its components.

No other package connects the configuration, the stores, the router, the node and the services with each other.
"""
