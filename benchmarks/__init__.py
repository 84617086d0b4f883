"""Benchmarks. The docstring of each module shows how to run it. They are not part of the tests."""
