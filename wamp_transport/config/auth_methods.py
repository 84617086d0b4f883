"""The authentication methods and their properties, so that no other module needs its own list of methods.

To add a method, describe it here, add its section to :mod:`.auth`, and implement its steps in ``wamp_transport.auth``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """An authentication method. ``name`` is its key in the ``auth`` section; ``label`` is its display name."""

    name: str
    label: str

    aliases: tuple[str, ...] = ()
    """Other names for the method in HELLO."""

    has_principal_source: bool = False
    """Whether the method's section has a ``type``.

    The type is the source of principals: configuration, procedure, function, database or, for tickets, tokens.
    """

    uses_django_users: bool = False
    """Whether Django identifies the client. The method's section then has no ``type``."""

    has_guessable_secret: bool = False
    """Whether an attacker could guess the secret: people choose it, or it can be short or predictable.

    Only failed logins with such a method count toward a lockout, and only logins with such a method are refused during
    a lockout.
    """

    may_be_remembered: bool = False
    """Whether a cookie can replace a later login.

    This is false if each connection needs a new proof, as with certificates.
    """

    ends_with_principal: bool = True
    """Whether sessions are closed when a new configuration no longer allows their login."""

    channel_bindings: tuple[str, ...] = ()
    """The channel bindings that a client may request. With SCRAM, only ``wamp-scram`` supports them."""

    @property
    def wire_names(self) -> tuple[str, ...]:
        """All names for the method in HELLO."""
        return (self.name, *self.aliases)


ANONYMOUS: Final = AuthMethod("anonymous", "anonymous", has_principal_source=True, ends_with_principal=False)
TICKET: Final = AuthMethod(
    "ticket",
    "ticket",
    has_principal_source=True,
    has_guessable_secret=True,
    may_be_remembered=True,
)
WAMPCRA: Final = AuthMethod(
    "wampcra",
    "WAMP-CRA",
    has_principal_source=True,
    has_guessable_secret=True,
    may_be_remembered=True,
)
SCRAM: Final = AuthMethod(
    "scram",
    "SCRAM",
    aliases=("wamp-scram",),
    has_principal_source=True,
    has_guessable_secret=True,
    may_be_remembered=True,
    channel_bindings=("tls-exporter",),
)
CRYPTOSIGN: Final = AuthMethod(
    "cryptosign",
    "cryptosign",
    has_principal_source=True,
    may_be_remembered=True,
    channel_bindings=("tls-unique", "tls-exporter"),
)
TLS: Final = AuthMethod("tls", "TLS certificate", has_principal_source=True)
COOKIE: Final = AuthMethod("cookie", "cookie")
# The project's token hook may accept tokens of any form, so tokens are guessable. Logins with tokens and Django
# sessions are never remembered, because the router's cookie must not outlive a logout from Django.
TOKEN: Final = AuthMethod("token", "token", uses_django_users=True, has_guessable_secret=True)
DJANGO_SESSION: Final = AuthMethod("django-session", "Django session", uses_django_users=True)
# This method is not configured. `manage.py wamp` uses it to log in to the nodes of its project.
OPERATOR: Final = AuthMethod("operator", "operator", ends_with_principal=False)
# Sessions inside the process do not authenticate.
LOCAL: Final = AuthMethod("local", "local", ends_with_principal=False)

AUTH_METHODS: Final[tuple[AuthMethod, ...]] = (
    ANONYMOUS,
    TICKET,
    WAMPCRA,
    SCRAM,
    CRYPTOSIGN,
    TLS,
    COOKIE,
    TOKEN,
    DJANGO_SESSION,
    OPERATOR,
    LOCAL,
)

BY_WIRE_NAME: Final[Mapping[str, AuthMethod]] = {name: method for method in AUTH_METHODS for name in method.wire_names}
"""The methods by their names in HELLO and session details. A method with aliases has several entries."""
