"""The kinds of credentials that the database keeps of principals, and the authentication methods that use them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..config.auth_methods import CRYPTOSIGN, TICKET, TLS, WAMPCRA
from .scram import DIALECT, STANDARD, Kdf


@dataclass(frozen=True, slots=True)
class CredentialKind:
    """A kind of credential. ``name`` is the value of its column, ``wire_names`` the methods that it serves."""

    name: str
    wire_names: tuple[str, ...]

    is_public: bool = False
    """It is a public key or a fingerprint, not a secret."""

    min_length: int = 1
    """Characters that a secret must have."""

    kdf: Kdf | None = None
    """The key derivation function, for SCRAM."""


# A ticket is sent as it is and may be made by a machine; the others are passwords.
CREDENTIAL_KINDS: Final[Mapping[str, CredentialKind]] = {
    kind.name: kind
    for kind in (
        CredentialKind(TICKET.name, TICKET.wire_names, min_length=16),
        CredentialKind(WAMPCRA.name, WAMPCRA.wire_names, min_length=8),
        CredentialKind(STANDARD, (STANDARD,), min_length=8, kdf="argon2id13"),
        CredentialKind(DIALECT, (DIALECT,), min_length=8, kdf="argon2id-13"),
        CredentialKind("scram-pbkdf2", (STANDARD, DIALECT), min_length=8, kdf="pbkdf2"),
        CredentialKind(CRYPTOSIGN.name, CRYPTOSIGN.wire_names, is_public=True),
        CredentialKind(TLS.name, TLS.wire_names, is_public=True),
    )
}
"""The kinds by name. A kind that stands earlier is preferred to a later one that serves the same method."""


def kinds_for(wire_name: str) -> tuple[str, ...]:
    """Return the names of the kinds that serve a method, the preferred ones first."""
    return tuple(kind.name for kind in CREDENTIAL_KINDS.values() if wire_name in kind.wire_names)
