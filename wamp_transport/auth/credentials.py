"""Credentials of the project's own clients, which answer the challenges of a router.

Sections of the specification: Advanced Profile, "Ticket-based Authentication" and "Challenge Response Authentication".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..config.auth_methods import ANONYMOUS, CRYPTOSIGN, TICKET, WAMPCRA
from . import cryptosign, wampcra
from .wampcra import Salting


class UnusableChallenge(Exception):
    """This credential cannot answer the router's challenge. The message says why."""


class Credential(Protocol):
    """The identity of a client, and the means to prove it."""

    @property
    def authid(self) -> str | None:
        """The authid to ask for; None if the router is to choose one."""
        ...

    @property
    def authmethod(self) -> str:
        """The method to offer."""
        ...

    @property
    def authextra(self) -> dict[str, Any] | None:
        """Further details for HELLO."""
        ...

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Return the signature for a challenge with this ``extra``. May be slow. Raises UnusableChallenge."""
        ...


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A client without credentials."""

    authid: str | None = None
    authmethod: str = ANONYMOUS.name
    authextra: dict[str, Any] | None = None

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Raise UnusableChallenge: there is no credential to answer with."""
        raise UnusableChallenge("the router asks for a credential, and none is configured")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket. It is sent in plain text, so use TLS. With the method ``token`` it is a signed token."""

    authid: str | None
    ticket: str = field(repr=False)
    authmethod: str = TICKET.name
    authextra: dict[str, Any] | None = None

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Return the ticket."""
        return self.ticket


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """The secret for WAMP-CRA, salted if the router asks for it. It is never sent."""

    authid: str
    secret: str = field(repr=False)
    authmethod: str = WAMPCRA.name
    authextra: dict[str, Any] | None = None

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Sign the challenge."""
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
    """A private key for cryptosign: 32 octets, never sent. If ``authid`` is None, the key identifies its owner."""

    authid: str | None
    private_key: bytes = field(repr=False)
    authmethod: str = CRYPTOSIGN.name

    @property
    def authextra(self) -> dict[str, Any]:
        """The public key."""
        return {"pubkey": cryptosign.public_key_of(self.private_key)}

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Sign the challenge."""
        try:
            challenge = bytes.fromhex(str(extra.get("challenge")))
        except ValueError:
            challenge = b""
        if len(challenge) != cryptosign.KEY_BYTES:
            raise UnusableChallenge("the router's challenge for cryptosign is not 32 octets in hex")
        return cryptosign.sign(self.private_key, challenge)
