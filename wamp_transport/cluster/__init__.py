"""A cluster of several processes that act as one router."""
