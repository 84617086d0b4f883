"""How those who run a router come in, from another process: both sides prove that they have the node's key.

The key never leaves either side, and the answer to one challenge is good for no other. ``HELLO.details.authextra``
has the operator's ``nonce``, and the ``role`` wanted; CHALLENGE has a text with both nonces, and the node's proof;
AUTHENTICATE has the operator's proof. Whoever asks without a key learns nothing of the node. Nobody else speaks this
method: it is between ``manage.py wamp`` and the nodes of the same project.
"""

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..config.auth_methods import OPERATOR
from ..router.answers import Admit, Challenge, Deny
from ..router.effects import Authenticate
from ..router.options import TRUSTED
from ..wamp.messages import Authenticate as AuthenticateMessage
from .credentials import UnusableChallenge
from .principals import World
from .providers import AuthProvider

NONCE_SIZE: Final = 32
"""Octets."""
LONGEST: Final = 200
"""Characters of an authid, a role and a nonce."""
ROUTER_SIDE: Final = "router"
OPERATOR_SIDE: Final = "operator"


def proof(key: str, side: str, text: str) -> str:
    """What shows that one side has the key: HMAC-SHA256 in hex. The side's name keeps one from using the other's."""
    return hmac.digest(key.encode(), f"{side}:{text}".encode(), "sha256").hex()


def is_proof(key: str, side: str, text: str, given: object) -> bool:
    """Whether ``given`` is the proof of that side. Takes the same time wherever it differs."""
    return isinstance(given, str) and hmac.compare_digest(
        proof(key, side, text).encode(), given.encode("utf-8", "replace")
    )


class OperatorMethod:
    """The node's side. See :class:`~.method.Method`. ``key`` is its own."""

    def __init__(self, key: str, world: World) -> None:
        self._key = key
        self._world = world

    async def begin(self, request: Authenticate) -> Challenge | Deny:
        """CHALLENGE with the node's own proof."""
        details = request.hello.details
        extra = details.authextra or {}
        told = {"authid": details.authid, "role": extra.get("role", TRUSTED), "nonce": extra.get("nonce")}
        if not all(isinstance(one, str) and 0 < len(one) <= LONGEST for one in told.values()):
            return Deny()
        text = json.dumps(
            {
                **told,
                "realm": request.hello.realm,
                "session": request.session_id,
                "router_nonce": self._world.random_bytes(NONCE_SIZE).hex(),
                "timestamp": self._world.timestamp(),
            }
        )
        shown = {"challenge": text, "proof": proof(self._key, ROUTER_SIDE, text)}
        return Challenge(OPERATOR.name, shown, text)

    async def finish(self, request: Authenticate, message: AuthenticateMessage, pending: Any) -> Admit | Deny:
        """WELCOME where the operator has the key, with the role that was asked for."""
        if not is_proof(self._key, OPERATOR_SIDE, pending, message.signature):
            return Deny()
        told = json.loads(pending)
        return Admit(request.hello.realm, told["authid"], told["role"], OPERATOR.name, AuthProvider.OPERATOR.value)


def _read(text: str) -> dict[str, Any]:
    """What a challenge says; nothing where it is no JSON object."""
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator's side. See :class:`~.credentials.Credential`. ``keys`` are those of the nodes that it may be."""

    authid: str
    keys: tuple[str, ...] = field(repr=False)
    role: str = TRUSTED
    nonce: str = field(default_factory=lambda: secrets.token_hex(NONCE_SIZE), repr=False)
    authmethod: str = OPERATOR.name

    @property
    def authextra(self) -> dict[str, Any]:
        """What HELLO tells beside the authid."""
        return {"nonce": self.nonce, "role": self.role}

    def answer(self, extra: Mapping[str, Any]) -> str:
        """The proof, once the node has shown its own. Raises UnusableChallenge."""
        text = extra.get("challenge")
        own = {"authid": self.authid, "nonce": self.nonce, "role": self.role}
        if not isinstance(text, str) or not own.items() <= _read(text).items():
            raise UnusableChallenge("what the router wants to be signed is not for this login")
        for key in self.keys:
            if is_proof(key, ROUTER_SIDE, text, extra.get("proof")):
                return proof(key, OPERATOR_SIDE, text)
        raise UnusableChallenge(
            "the router does not prove that it is a node of this project: it has another SECRET_KEY or database"
        )
