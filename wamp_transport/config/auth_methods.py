"""The authentication methods, each with the rules that apply to it. No other module lists methods or exceptions.

To add a method, describe it here, give it a section in :mod:`.auth`, and write its steps in ``wamp_transport.auth``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """An authentication method. ``name`` is its key in the ``auth`` of a configuration, ``label`` is for people."""

    name: str
    label: str

    aliases: tuple[str, ...] = ()
    """Further names that clients use for it in HELLO."""

    has_principal_source: bool = False
    """Whether its section has a ``type``: the configuration, a procedure, a function or the database knows the
    principals.
    """

    uses_django_users: bool = False
    """Whether Django decides who the client is. Its section has no ``type``."""

    has_guessable_secret: bool = False
    """Whether a client may find the secret by trying: people choose it, or nothing ensures that it is long and random.
    """

    counts_failures: bool = False
    """Whether failed logins count for the lockout, which then refuses logins."""

    may_be_remembered: bool = False
    """Whether a cookie may stand for a later login. Not if each connection must give its proof (certificates)."""

    ends_with_principal: bool = True
    """Whether open sessions end when a new configuration no longer allows their login."""

    channel_bindings: tuple[str, ...] = ()
    """Channel bindings that a client may ask for. Those of SCRAM apply only to ``wamp-scram``."""

    @property
    def wire_names(self) -> tuple[str, ...]:
        """All names that clients use for it in HELLO."""
        return (self.name, *self.aliases)


ANONYMOUS: Final = AuthMethod("anonymous", "anonymous", has_principal_source=True, ends_with_principal=False)
TICKET: Final = AuthMethod(
    "ticket",
    "ticket",
    has_principal_source=True,
    has_guessable_secret=True,
    counts_failures=True,
    may_be_remembered=True,
)
WAMPCRA: Final = AuthMethod(
    "wampcra",
    "WAMP-CRA",
    has_principal_source=True,
    has_guessable_secret=True,
    counts_failures=True,
    may_be_remembered=True,
)
SCRAM: Final = AuthMethod(
    "scram",
    "SCRAM",
    aliases=("wamp-scram",),
    has_principal_source=True,
    has_guessable_secret=True,
    counts_failures=True,
    may_be_remembered=True,
    channel_bindings=("tls-exporter",),
)
CRYPTOSIGN: Final = AuthMethod(
    "cryptosign",
    "cryptosign",
    has_principal_source=True,
    counts_failures=True,
    may_be_remembered=True,
    channel_bindings=("tls-unique", "tls-exporter"),
)
TLS: Final = AuthMethod("tls", "TLS certificate", has_principal_source=True, counts_failures=True)
COOKIE: Final = AuthMethod("cookie", "cookie")
# The project's token hook may accept tokens of any form, so they count as guessable. Tokens and Django's sessions are
# never remembered: a cookie of the router must not outlive a logout from Django.
TOKEN: Final = AuthMethod("token", "token", uses_django_users=True, has_guessable_secret=True, counts_failures=True)
DJANGO_SESSION: Final = AuthMethod("django-session", "Django session", uses_django_users=True)
# Not configured: `manage.py wamp` uses it at the nodes of its own project.
OPERATOR: Final = AuthMethod("operator", "operator", ends_with_principal=False)
# Sessions inside the process do not log in.
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
"""The methods by each name that HELLO and session details have for them."""
