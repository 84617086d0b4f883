"""Data that is stored in the database. Each module implements an interface of a lower layer."""
