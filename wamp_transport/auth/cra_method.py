"""The authentication method WAMP-CRA: the responses to HELLO and to AUTHENTICATE.

The cryptography is in :mod:`.wampcra`.
"""

from base64 import b64encode
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ..config.auth_methods import WAMPCRA
from ..router.decisions import Admit, ChallengePeer, Deny
from ..router.effects import AuthenticationRequest
from ..wamp.messages import Authenticate
from . import decoy_challenges
from .principals import CraKeys, CraPassword, Principal, Principals, World, admission, lookup_of
from .wampcra import Salting, challenge_text, derive_key, is_signature

NONCE_SIZE: Final = 48
"""The size of a nonce in bytes. It results in 64 base64 characters, as in Crossbar."""


@dataclass(frozen=True, slots=True)
class PendingCra:
    """A login that waits for the client's signature. ``principal`` is None if the client is unknown."""

    principal: Principal | None
    challenge: str
    keys: tuple[str, ...] = field(repr=False)


class CraMethod:
    """The authentication method WAMP-CRA.

    An unknown client gets a realistic challenge, and is denied only after its response.
    """

    def __init__(self, principals: Principals, world: World, default_role: str | None = None) -> None:
        self._principals = principals
        self._world = world
        self._default_role = default_role

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Deny:
        """Challenge the client to sign a text."""
        asked = request.hello.details.authid
        found = await self._principals.find(lookup_of(request, WAMPCRA.name))
        credential = found.credential if found is not None else None
        principal = found if isinstance(credential, CraKeys | CraPassword) else None
        shown = principal or self._decoy(asked or "", request.hello.realm)
        text = challenge_text(
            request.session_id,
            shown.authid or asked or "",
            shown.role or self._default_role or "",
            self._principals.provider,
            nonce=b64encode(self._world.random_bytes(NONCE_SIZE)).decode(),
            timestamp=self._world.timestamp(),
        )
        salting = shown.credential.salting if isinstance(shown.credential, CraKeys | CraPassword) else None
        keys: tuple[str, ...] = ()
        if isinstance(shown.credential, CraPassword):
            password, how = shown.credential.password, shown.credential.salting
            derived = await self._world.offload(lambda: derive_key(password, how))
            keys = (derived,) if principal is not None else ()
        elif principal is not None and isinstance(credential, CraKeys):
            keys = credential.keys
        extra = {"challenge": text, **(salting.extra() if salting is not None else {})}
        return ChallengePeer(WAMPCRA.name, extra, PendingCra(principal, text, keys))

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Admit the client if its signature is valid."""
        # Check the signature of an unknown client too, with a random key, so that both cases take the same time.
        keys = pending.keys or (self._world.random_bytes(NONCE_SIZE).hex(),)
        is_right = is_signature(keys, pending.challenge, message.signature)
        if not is_right or pending.principal is None:
            return Deny()
        return admission(request, pending.principal, self._principals.provider, self._default_role)

    def _decoy(self, authid: str, realm: str | None) -> Principal:
        """Return an invented principal for the challenge to an unknown client, modeled on a real one if possible."""
        key = self._world.secret_key
        model = self._principals.model(decoy_challenges.choice(key, WAMPCRA.name, authid), realm) or Principal()
        credential = model.credential
        if isinstance(credential, CraKeys | CraPassword) and credential.salting is not None:
            salt = decoy_challenges.text_like(credential.salting.salt, key, WAMPCRA.name, authid)
            credential = replace(credential, salting=replace(credential.salting, salt=salt))
        return Principal(model.role, authid, credential=credential)


def salting_of(salt: str | None, iterations: int | None, keylen: int | None) -> Salting | None:
    """Return the parameters of the key derivation as a Salting; None if one of them is missing."""
    if salt is None or iterations is None or keylen is None:
        return None
    return Salting(salt, iterations, keylen)
