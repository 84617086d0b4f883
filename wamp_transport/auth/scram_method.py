"""The authentication method SCRAM, in both variants: the responses to HELLO and to AUTHENTICATE.

The cryptography is in :mod:`.scram`, which also describes the variants.
"""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..config.auth_methods import SCRAM
from ..router.decisions import Admit, ChallengePeer, Deny
from ..router.effects import AuthenticationRequest
from ..wamp.messages import Authenticate
from . import decoy_challenges
from .principals import Principal, Principals, ScramCredential, World, admission, lookup_of
from .scram import (
    DIALECT,
    KDFS,
    NONCE_SIZE,
    STANDARD,
    Derivation,
    ScramKeys,
    auth_message,
    is_proof,
    joined_nonce,
    server_signature,
)

MAX_NONCE_LENGTH: Final = 512

MAX_MODELS: Final = 50
"""The maximum number of principals that are tried as models for a decoy challenge."""

DEFAULT_CREDENTIALS: Final = {
    STANDARD: Derivation("argon2id13", b"\0" * 16, 3, 64 * 1024),
    DIALECT: Derivation("argon2id-13", b"\0" * 16, 4096, 512),
}
"""The parameters of a decoy challenge, by authmethod, if no principal can serve as a model."""


@dataclass(frozen=True, slots=True)
class PendingScram:
    """A login that waits for the client's proof. ``principal`` is None if the client is unknown."""

    principal: Principal | None
    keys: tuple[ScramKeys, ...]
    nonce: str
    message: bytes
    channel: tuple[str, bytes] | None


class ScramMethod:
    """The authentication method SCRAM.

    An unknown client gets a realistic challenge, and is denied only after its response.
    """

    def __init__(self, principals: Principals, world: World, default_role: str | None = None) -> None:
        self._principals = principals
        self._world = world
        self._default_role = default_role

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Deny:
        """Challenge the client with a nonce and the parameters of the key derivation.

        Deny the login if ``authextra`` in HELLO is invalid.
        """
        method, authid = request.method, request.hello.details.authid or ""
        extra = request.hello.details.authextra or {}
        client_nonce = extra.get("nonce")
        if not isinstance(client_nonce, str) or len(client_nonce) > MAX_NONCE_LENGTH:
            return Deny(message="authextra must hold a nonce, which is base64 text")
        try:
            nonce = joined_nonce(method, client_nonce, self._world.random_bytes(NONCE_SIZE))
            channel = _channel(method, extra.get("channel_binding"), request.transport)
        except ValueError as fault:
            return Deny(message=f"authextra does not fit {method}: {fault}")
        found = await self._principals.find(lookup_of(request, SCRAM.name))
        credential = found.credential if found is not None else None
        if isinstance(credential, ScramCredential) and credential.derivation.kdf in KDFS[method]:
            principal, derivation, keys = found, credential.derivation, credential.keys
        else:
            principal, derivation, keys = None, self._decoy(method, authid, request.hello.realm), ()
        message = auth_message(method, authid, client_nonce, nonce, derivation, channel)
        return ChallengePeer(
            method, _extra(method, nonce, derivation), PendingScram(principal, keys, nonce, message, channel)
        )

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Admit the client if its proof is valid. WELCOME then contains the server's signature."""
        if request.method == STANDARD and not _repeats(message.extra, pending):
            return Deny()
        try:
            proof = b64decode(message.signature, validate=True)
        except (Error, ValueError):
            return Deny()
        unknown = ScramKeys(self._world.random_bytes(32), b"")
        fitting = [keys for keys in pending.keys or (unknown,) if is_proof(keys, pending.message, proof)]
        if not fitting or pending.principal is None:
            return Deny()
        signature = b64encode(server_signature(fitting[0], pending.message)).decode()
        name = "verifier" if request.method == STANDARD else "scram_server_signature"
        return admission(
            request, pending.principal, self._principals.provider, self._default_role, extra={name: signature}
        )

    def _decoy(self, method: str, authid: str, realm: str | None) -> Derivation:
        """Return the parameters of a decoy challenge, modeled on a real principal, or on the defaults if none fits."""
        key = self._world.secret_key
        first = decoy_challenges.choice(key, SCRAM.name, authid)
        like = next(self._models(method, first, realm), DEFAULT_CREDENTIALS[method])
        salt = decoy_challenges.octets(key, SCRAM.name, authid, len(like.salt))
        return Derivation(like.kdf, salt, like.iterations, like.memory)

    def _models(self, method: str, first: int, realm: str | None) -> Iterator[Derivation]:
        """Yield the key derivation parameters of principals that can log in with ``method``, as models for a decoy.

        ``first`` is the number of the first principal to try; see :meth:`.Principals.model`.
        """
        for number in range(MAX_MODELS):
            model = self._principals.model(first + number, realm)
            if model is None:
                return
            if isinstance(model.credential, ScramCredential) and model.credential.derivation.kdf in KDFS[method]:
                yield model.credential.derivation


def _extra(method: str, nonce: str, derivation: Derivation) -> dict[str, Any]:
    extra = {
        "nonce": nonce,
        "salt": b64encode(derivation.salt).decode(),
        "kdf": derivation.kdf,
        "iterations": derivation.iterations,
    }
    # Clients of the dialect parse the memory as a number, so it must be absent rather than null.
    if method == STANDARD or derivation.memory is not None:
        extra["memory"] = derivation.memory
    return extra


def _channel(method: str, binding: object, transport: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """Return the name and data of the requested channel binding. Raises ValueError if it is not supported."""
    if binding is None or (binding == "" and method == DIALECT):
        return None
    if method == STANDARD and isinstance(binding, str) and binding in SCRAM.channel_bindings:
        data = (transport.get("channel_id") or {}).get(binding)
        if data is not None:
            return binding, bytes.fromhex(data)
    raise ValueError("this channel binding is not offered here")


def _repeats(extra: Mapping[str, Any], pending: PendingScram) -> bool:
    """Return whether AUTHENTICATE contains the same nonce and channel binding as the challenge."""
    name, data = pending.channel or (None, b"")
    given = extra.get("cbind_data")
    expected = b64encode(data).decode() if name is not None else None
    return bool(extra.get("nonce") == pending.nonce and extra.get("channel_binding") == name and given == expected)
