"""Stores in the database for the interfaces of lower layers."""
