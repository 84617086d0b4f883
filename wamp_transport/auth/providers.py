"""The sources of principals, as shown in ``authprovider``, and their properties."""

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
"""The sources in the database.

Their sessions end when the user or principal changes, and their logins are not remembered by cookies.
"""

NAMES_USERS: Final = frozenset({AuthProvider.DJANGO, AuthProvider.LOCAL})
"""The sources whose authid is a Django username: Django's login, and code of the project.

An authid from another source can equal a username, but does not identify that user.
"""
