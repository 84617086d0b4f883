"""Internals of other libraries that this product uses: one module for each library.

Each module lists what it needs, checks at import that it is there in the expected form, and gives it a public name.
Nothing outside this package uses a private name of these libraries.
"""
