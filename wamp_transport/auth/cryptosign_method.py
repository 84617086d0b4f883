"""The authentication method WAMP-cryptosign: the responses to HELLO and to AUTHENTICATE.

The cryptography is in :mod:`.cryptosign`. See the WAMP specification, Advanced Profile, "Cryptosign-based
Authentication" and its subsection "Router Authentication".
"""

from dataclasses import dataclass
from typing import Any

from ..config.auth_methods import CRYPTOSIGN
from ..router.decisions import Admit, ChallengePeer, Deny
from ..router.effects import AuthenticationRequest
from ..wamp.messages import Authenticate
from .cryptosign import KEY_BYTES, challenge_of, is_answer, message_of, public_key, public_key_of, sign
from .principals import Principal, Principals, PublicKeys, World, admission, lookup_of


@dataclass(frozen=True, slots=True)
class PendingCryptosign:
    """A login that waits for the client's signature. ``principal`` is None if the client is unknown."""

    principal: Principal | None
    key: str
    message: bytes


class CryptosignMethod:
    """The authentication method WAMP-cryptosign.

    A client with an unknown key is challenged too, and denied only after its response. If the client sends a challenge
    of its own, the router signs it to prove its identity.
    """

    def __init__(self, principals: Principals, world: World, default_role: str | None = None) -> None:
        self._principals = principals
        self._world = world
        self._default_role = default_role

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Deny:
        """Challenge the client to sign random bytes. Deny the login if ``authextra`` in HELLO is invalid."""
        extra = request.hello.details.authextra or {}
        key = public_key(extra.get("pubkey"))
        if key is None:
            return Deny(message="authextra must hold the client's pubkey, which is 64 hex digits")
        binding = extra.get("channel_binding")
        channel = None
        if binding is not None:
            found = (
                (request.transport.get("channel_id") or {}).get(binding)
                if binding in CRYPTOSIGN.channel_bindings
                else None
            )
            if found is None:
                return Deny(message="this connection does not offer the channel binding asked for")
            channel = bytes.fromhex(found)
        asked = extra.get("challenge")
        to_sign = challenge_of(asked)
        if asked is not None and to_sign is None:
            return Deny(message="the challenge for the router to sign must be 64 hex digits")
        principal = await self._principals.find(lookup_of(request, CRYPTOSIGN.name, public_key=key))
        credential = principal.credential if principal is not None else None
        if not isinstance(credential, PublicKeys) or key not in credential.keys:
            principal = None
        challenge = self._world.random_bytes(KEY_BYTES)
        pending = PendingCryptosign(principal, key, message_of(challenge, channel))
        answer = {"challenge": challenge.hex(), "channel_binding": binding}
        if to_sign is not None:
            own = self._world.router_key
            answer |= {"pubkey": public_key_of(own), "signature": sign(own, message_of(to_sign, channel))}
        return ChallengePeer(CRYPTOSIGN.name, answer, pending)

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Admit the client if its signature is valid."""
        is_right = is_answer(pending.key, pending.message, message.signature)
        if not is_right or pending.principal is None:
            return Deny()
        return admission(request, pending.principal, self._principals.provider, self._default_role, authid=pending.key)
