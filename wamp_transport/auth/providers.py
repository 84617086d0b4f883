"""The sources of principals, as sessions show them in ``authprovider``, and the rules that hold for them."""

from enum import StrEnum
from typing import Final


class AuthProvider(StrEnum):
    """A source that decides on logins."""

    STATIC = "static"
    DYNAMIC = "dynamic"
    FUNCTION = "function"
    DATABASE = "database"
    TOKEN = "token"  # noqa: S105 - the name of a source
    DJANGO = "django"
    COOKIE = "cookie"
    OPERATOR = "operator"
    LOCAL = "local"


WATCHED: Final = frozenset({AuthProvider.DATABASE, AuthProvider.TOKEN, AuthProvider.DJANGO})
"""Sources in the database. Their sessions end when the user or principal changes, and no cookie outlives that."""

NAMES_USERS: Final = frozenset({AuthProvider.DJANGO, AuthProvider.LOCAL})
"""Sources whose authid is a Django username: Django's own login, and code of the project. Another source's authid may
equal a username by chance or on purpose, and is not that user."""
