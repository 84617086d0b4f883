"""Run the tests with all supported versions of Python, Django and the other dependencies. See ``__main__.py``."""
