"""A WAMP v2 router that is a Django app."""

__version__ = "0.1.0"
