"""The versions of other libraries with which this product was tested. ``pyproject.toml`` declares the same versions."""

from typing import Final

from .requirements import Library

PYTHON: Final = Library("Python", "3.11", "3.14")
ASGIREF: Final = Library("asgiref", "3.9.1", "3.14")
TWISTED: Final = Library("Twisted", "24.7", "26.11")
AUTOBAHN: Final = Library("autobahn", "26.10.2", "26.11")
DAPHNE: Final = Library("daphne", "4.2.3", "4.3")

LIBRARIES: Final = (PYTHON, ASGIREF, TWISTED, AUTOBAHN, DAPHNE)
