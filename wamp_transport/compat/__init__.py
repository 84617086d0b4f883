"""Private and undocumented members of other libraries that this product uses, with one module for each library.

Each module lists the members, checks at import that they exist in the expected form, and gives them public names. No
code outside this package uses a private name of these libraries.
"""
