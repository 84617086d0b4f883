"""The values of ``authprovider`` in session details, and their properties."""

from enum import StrEnum
from typing import Final


class AuthProvider(StrEnum):
    """A source that admits clients. Session details contain it as ``authprovider``."""

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
"""The sources whose users or principals are in the database.

When a user or principal changes, the sessions whose identity is no longer valid are closed. A login from one of these
sources is never stored for a cookie.
"""

NAMES_USERS: Final = frozenset({AuthProvider.DJANGO, AuthProvider.LOCAL})
"""The sources whose authid is a Django username, unless the hook ``USER_AUTHID`` returns another authid.

They are logins with a Django session, and sessions of the project's own code. An authid from another source can equal a
username, but does not identify that user.
"""
