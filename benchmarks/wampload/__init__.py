"""A light WAMP v2 load generator for WebSocket routers.

Every message on the hot path is assembled from a pre-encoded template and
only the first elements of what comes back are parsed, so that one core of
load generator is enough to saturate one core of router.
"""
