"""Counters, health and traces."""
