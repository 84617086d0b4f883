"""Programs for the maintainers of the project. None is part of the tests or of the package."""
