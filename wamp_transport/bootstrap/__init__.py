"""The wiring of a process.

Only these modules connect the configuration, the stores, the router, the node and the services.
"""
