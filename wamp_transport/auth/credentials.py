"""How a client of ours proves to a router who it is: the other side of the methods.

Sections of the specification: Advanced Profile, "Ticket-based Authentication" and "Challenge Response Authentication".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..config.auth_methods import ANONYMOUS, CRYPTOSIGN, TICKET, WAMPCRA
from . import cryptosign, wampcra
from .wampcra import Salting


class UnusableChallenge(Exception):
    """A router asks for what this credential cannot give. The message says what."""


class Credential(Protocol):
    """Who a client says it is, and what proves it."""

    @property
    def authid(self) -> str | None:
        """The name it goes by; None where the router chooses one."""
        ...

    @property
    def authmethod(self) -> str:
        """The method it offers."""
        ...

    @property
    def authextra(self) -> dict[str, Any] | None:
        """What HELLO tells beside the authid."""
        ...

    def answer(self, extra: Mapping[str, Any]) -> str:
        """The signature for a challenge with this ``extra``. May be slow. Raises UnusableChallenge."""
        ...


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody in particular."""

    authid: str | None = None
    authmethod: str = ANONYMOUS.name
    authextra: dict[str, Any] | None = None

    def answer(self, extra: Mapping[str, Any]) -> str:
        """There is nothing to prove."""
        raise UnusableChallenge("the router wants to know who this is, and no credential is configured")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket, shown as it is: over TLS, that is. With the method ``token``: a signed token, which says who it is."""

    authid: str | None
    ticket: str = field(repr=False)
    authmethod: str = TICKET.name
    authextra: dict[str, Any] | None = None

    def answer(self, extra: Mapping[str, Any]) -> str:
        """The ticket."""
        return self.ticket


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """The secret of WAMP-CRA, salted where the router says so. It never leaves the process."""

    authid: str
    secret: str = field(repr=False)
    authmethod: str = WAMPCRA.name
    authextra: dict[str, Any] | None = None

    def answer(self, extra: Mapping[str, Any]) -> str:
        """The signature of the challenge."""
        challenge, key = extra.get("challenge"), self.secret
        if not isinstance(challenge, str):
            raise UnusableChallenge("the router's challenge for wampcra has no text to sign")
        if "salt" in extra:
            try:
                salting = Salting(str(extra["salt"]), int(extra["iterations"]), int(extra["keylen"]))
            except (KeyError, TypeError, ValueError) as fault:
                raise UnusableChallenge("the router's challenge for wampcra is salted, but not wholly") from fault
            key = wampcra.derive_key(self.secret, salting)
        return wampcra.sign(key, challenge)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of cryptosign: 32 octets. It never leaves the process. ``authid`` None: whose the key is."""

    authid: str | None
    private_key: bytes = field(repr=False)
    authmethod: str = CRYPTOSIGN.name

    @property
    def authextra(self) -> dict[str, Any]:
        """The public key."""
        return {"pubkey": cryptosign.public_key_of(self.private_key)}

    def answer(self, extra: Mapping[str, Any]) -> str:
        """The signature of the challenge."""
        try:
            challenge = bytes.fromhex(str(extra.get("challenge")))
        except ValueError:
            challenge = b""
        if len(challenge) != cryptosign.SIZE:
            raise UnusableChallenge("the router's challenge for cryptosign is not 32 octets in hex")
        return cryptosign.sign(self.private_key, challenge)
