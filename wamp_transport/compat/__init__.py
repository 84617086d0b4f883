"""Private and undocumented members of other libraries that this product uses, one module per library.

Each module lists the members, checks at import that they exist in the expected form, and gives them public names. Code
outside this package must not use private names of these libraries.
"""
