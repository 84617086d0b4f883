"""Connects several processes so that they act as one router."""
