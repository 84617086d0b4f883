"""A light WAMP v2 load generator for WebSocket routers.

On the hot path, messages are assembled from pre-encoded templates, and only
the first elements of received messages are parsed. So one core for the load
generator is enough to saturate a router on another core.
"""
