"""The kinds of credentials that the database stores, and the authentication methods that use them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..config.auth_methods import CRYPTOSIGN, TICKET, TLS, WAMPCRA
from .scram import DIALECT, STANDARD, Kdf


@dataclass(frozen=True, slots=True)
class CredentialKind:
    """A kind of credential. The database stores its ``name``. ``wire_names`` are the authmethods that use it."""

    name: str
    wire_names: tuple[str, ...]

    is_public: bool = False
    """Whether the credential is a public key or a fingerprint, not a secret."""

    min_length: int = 1
    """The minimum length of a secret, in characters."""

    kdf: Kdf | None = None
    """The key derivation function of SCRAM; None for other kinds."""


# A ticket is sent in plain text and can be machine-generated; the other secrets are passwords.
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
"""The kinds of credentials by name. If an authmethod can use several kinds, the earlier ones are preferred."""


def kinds_for(wire_name: str) -> tuple[str, ...]:
    """Return the names of the kinds of credentials that an authmethod uses, the preferred kind first."""
    return tuple(kind.name for kind in CREDENTIAL_KINDS.values() if wire_name in kind.wire_names)
