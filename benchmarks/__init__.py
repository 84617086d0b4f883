"""Measurements. Each module says how it is run; none is part of the tests."""
