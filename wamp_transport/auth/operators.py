"""Logins of operators from other processes. Both the operator and the node prove that they know the node's key.

The key is never sent, and a response to one challenge is not valid for another. ``HELLO.details.authextra`` contains
the operator's ``nonce`` and the requested ``role``. CHALLENGE contains a text with both nonces, and the node's proof.
AUTHENTICATE contains the operator's proof. A client without a key learns nothing about the node. Only ``manage.py
wamp`` and nodes of the same project use this method.
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..config.auth_methods import OPERATOR
from ..router.decisions import Admit, ChallengePeer, Deny
from ..router.effects import AuthenticationRequest
from ..router.options import TRUSTED
from ..wamp.messages import Authenticate
from .credentials import UnusableChallenge
from .principals import World
from .providers import AuthProvider

NONCE_SIZE: Final = 32
"""The size of a nonce in bytes."""
MAX_TEXT_LENGTH: Final = 200
"""The maximum length of an authid, role or nonce, in characters."""
ROUTER_SIDE: Final = "router"
OPERATOR_SIDE: Final = "operator"


def proof(key: str, side: str, text: str) -> str:
    """Return one side's proof that it knows the key: an HMAC-SHA256 of the challenge's text, in hexadecimal.

    The proof includes the name of the side, so that neither side can reuse the proof of the other.
    """
    return hmac.digest(key.encode(), f"{side}:{text}".encode(), "sha256").hex()


def is_proof(key: str, side: str, text: str, given: object) -> bool:
    """Return whether ``given`` is the proof of this side. The comparison takes constant time."""
    return isinstance(given, str) and hmac.compare_digest(
        proof(key, side, text).encode(), given.encode("utf-8", "replace")
    )


class OperatorMethod:
    """The authentication method with which a node admits operators. ``key`` is the operator key of the node."""

    def __init__(self, key: str, world: World) -> None:
        self._key = key
        self._world = world

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Deny:
        """Challenge the operator, and prove that this node knows the key. Deny the login if HELLO is incomplete."""
        details = request.hello.details
        extra = details.authextra or {}
        given = {"authid": details.authid, "role": extra.get("role", TRUSTED), "nonce": extra.get("nonce")}
        if not all(isinstance(text, str) and 0 < len(text) <= MAX_TEXT_LENGTH for text in given.values()):
            return Deny()
        text = json.dumps(
            {
                **given,
                "realm": request.hello.realm,
                "session": request.session_id,
                "router_nonce": self._world.random_bytes(NONCE_SIZE).hex(),
                "timestamp": self._world.timestamp(),
            }
        )
        shown = {"challenge": text, "proof": proof(self._key, ROUTER_SIDE, text)}
        return ChallengePeer(OPERATOR.name, shown, text)

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Admit an operator who knows the key, with the requested role."""
        if not is_proof(self._key, OPERATOR_SIDE, pending, message.signature):
            return Deny()
        given = json.loads(pending)
        return Admit(request.hello.realm, given["authid"], given["role"], OPERATOR.name, AuthProvider.OPERATOR.value)


def _read(text: str) -> dict[str, Any]:
    """Parse the text of a challenge. Return an empty dictionary if it is not a JSON object."""
    try:
        given = json.loads(text)
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


@dataclass(frozen=True, slots=True)
class Operator:
    """The credential of an operator. ``keys`` are the operator keys of the nodes to which the operator can connect."""

    authid: str
    keys: tuple[str, ...] = field(repr=False)
    role: str = TRUSTED
    nonce: str = field(default_factory=lambda: secrets.token_hex(NONCE_SIZE), repr=False)
    authmethod: str = OPERATOR.name

    @property
    def authextra(self) -> dict[str, Any]:
        """The nonce and role for HELLO."""
        return {"nonce": self.nonce, "role": self.role}

    def answer(self, extra: Mapping[str, Any]) -> str:
        """Return the operator's proof, after checking the node's proof.

        Raises UnusableChallenge if the challenge belongs to another login, or if the node's proof is invalid.
        """
        text = extra.get("challenge")
        own = {"authid": self.authid, "nonce": self.nonce, "role": self.role}
        if not isinstance(text, str) or not own.items() <= _read(text).items():
            raise UnusableChallenge("the challenge of the router does not belong to this login")
        for key in self.keys:
            if is_proof(key, ROUTER_SIDE, text, extra.get("proof")):
                return proof(key, OPERATOR_SIDE, text)
        raise UnusableChallenge(
            "the router does not prove that it is a node of this project: it has another SECRET_KEY or database"
        )
