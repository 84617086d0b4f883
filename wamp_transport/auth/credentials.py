"""The credentials with which the project's own clients respond to a router's challenges.

See the WAMP specification, Advanced Profile, "Ticket-based Authentication" and "Challenge Response Authentication".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..config.auth_methods import ANONYMOUS, CRYPTOSIGN, TICKET, WAMPCRA
from . import cryptosign, wampcra
from .wampcra import Salting


class UnusableChallenge(Exception):
    """Raised if a credential cannot respond to the router's challenge. The message contains the reason."""


class Credential(Protocol):
    """The identity of a client, and the secret or key that proves it."""

    @property
    def authid(self) -> str | None:
        """The authid for HELLO; None if the router chooses one."""
        ...

    @property
    def authmethod(self) -> str:
        """The authmethod for HELLO."""
        ...

    @property
    def authextra(self) -> dict[str, Any] | None:
        """The additional details for HELLO."""
        ...

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Return the signature for AUTHENTICATE, the response to a CHALLENGE with the details ``extra``.

        This can be slow. Raises UnusableChallenge if the credential cannot respond to the challenge.
        """
        ...


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A client without credentials."""

    authid: str | None = None
    authmethod: str = ANONYMOUS.name
    authextra: dict[str, Any] | None = None

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Raise UnusableChallenge, because there is no credential."""
        raise UnusableChallenge("the router asks for a credential, and none is configured")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket, or a signed token with the authmethod ``token``. Both are sent in plain text, so use TLS."""

    authid: str | None
    ticket: str = field(repr=False)
    authmethod: str = TICKET.name
    authextra: dict[str, Any] | None = None

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Return the ticket."""
        return self.ticket


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """A shared secret for WAMP-CRA. It is never sent.

    If the challenge contains a salt, the response is signed with a key that is derived from the secret.
    """

    authid: str
    secret: str = field(repr=False)
    authmethod: str = WAMPCRA.name
    authextra: dict[str, Any] | None = None

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Return the signature of the challenge."""
        challenge, key = extra.get("challenge"), self.secret
        if not isinstance(challenge, str):
            raise UnusableChallenge("the router's challenge for wampcra has no text to sign")
        if "salt" in extra:
            try:
                salting = Salting(str(extra["salt"]), int(extra["iterations"]), int(extra["keylen"]))
            except (KeyError, TypeError, ValueError) as fault:
                raise UnusableChallenge(
                    "the router's challenge for wampcra has incomplete salting parameters"
                ) from fault
            key = wampcra.derive_key(self.secret, salting)
        return wampcra.sign(key, challenge)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key for cryptosign: 32 bytes, never sent.

    If ``authid`` is None, the router identifies the client by the key.
    """

    authid: str | None
    private_key: bytes = field(repr=False)
    authmethod: str = CRYPTOSIGN.name

    @property
    def authextra(self) -> dict[str, Any]:
        """The details for HELLO, which contain the public key."""
        return {"pubkey": cryptosign.public_key_of(self.private_key)}

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Return the signature of the challenge."""
        try:
            challenge = bytes.fromhex(str(extra.get("challenge")))
        except ValueError:
            challenge = b""
        if len(challenge) != cryptosign.KEY_BYTES:
            raise UnusableChallenge("the router's challenge for cryptosign is not 32 octets in hex")
        return cryptosign.sign(self.private_key, challenge)
