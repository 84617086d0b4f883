"""Programs for the maintainers of the project. They are not part of the tests or the package."""
