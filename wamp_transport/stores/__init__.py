"""Answers to the ports of the floors below, kept in the database."""
