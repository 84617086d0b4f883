"""The principals in the database, as a source for authentication methods."""

import asyncio
import logging
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from django.contrib.auth.hashers import check_password, make_password
from django.db import DatabaseError

from ...auth.credential_kinds import kinds_for
from ...auth.principals import CraKeys, Credential, Lookup, Principal, PublicKeys, ScramCredential
from ...auth.providers import AuthProvider
from ...auth.scram import DIALECT, KDFS, STANDARD, Derivation, ScramKeys
from ...auth.wampcra import Salting
from ...config.auth_methods import CRYPTOSIGN, SCRAM, TICKET, TLS, WAMPCRA, AuthMethod
from ...stores.identity import credentials, principals
from ...stores.identity.principals import StoredCredential, StoredPrincipal
from ..threads import in_thread

logger = logging.getLogger(__name__)

MIN_LOOKUP_SECONDS: Final = 0.02
"""The minimum duration of a lookup. It prevents the response time from showing whether a principal exists."""

SAMPLE_LIFETIME_SECONDS: Final = 60.0
"""The time for which sample credentials are cached. Challenges to unknown clients imitate these credentials."""

MAX_SAMPLED_REALMS: Final = 100
"""The maximum number of realms with cached samples. Clients can send any realm name."""


@dataclass(frozen=True, slots=True)
class HashedTickets:
    """The tickets of a principal, stored as Django password hashes. A ticket is valid if it matches any of the hashes.

    Each hash is paired with the ID of its credential in the database, so that the last use of the credential can be
    recorded. The ID is None for hashes from the configuration. Checks run in a thread. If there are no hashes, a check
    takes as long as for a wrong ticket.
    """

    hashes: tuple[tuple[int | None, str], ...] = field(repr=False)
    is_slow: bool = True

    def accepts(self, ticket: str) -> bool:
        if not self.hashes:
            make_password(ticket)
        matching = [id for id, encoded in self.hashes if check_password(ticket, encoded)]
        for id in matching[:1]:
            if id is not None:
                try:
                    principals.credential_used(id)
                except DatabaseError as error:
                    logger.warning("The use of a ticket cannot be recorded: %s", error)
        return bool(matching)


class StoredPrincipals:
    """The principals in the database, for one authentication method."""

    provider = AuthProvider.DATABASE.value

    def __init__(self, method: AuthMethod) -> None:
        self._method = method
        self._models: dict[str | None, Models] = {}

    async def find(self, lookup: Lookup) -> Principal | None:
        """Find a principal by its certificate, public key or authid, depending on the method.

        If there is none, return None. For tickets, return a principal that accepts no ticket instead, so that the check
        takes the same time.
        """
        kinds = kinds_for(lookup.details["authmethod"])
        loop = asyncio.get_running_loop()
        until = loop.time() + MIN_LOOKUP_SECONDS
        principal: Principal | None = await in_thread(self._find, lookup, kinds)
        await asyncio.sleep(until - loop.time())
        if principal is None and self._method is TICKET:
            return Principal(credential=HashedTickets(()))
        return principal

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """Return a principal on which to model the challenge to an unknown client.

        If there is no sample, return a principal with the parameters of newly created credentials. Return None if the
        method's challenges contain no parameters.
        """
        models = self._models.get(realm)
        if models is not None and models.principals:
            return models.principals[choice % len(models.principals)]
        noise = bytes(credentials.SALT_SIZE)
        if self._method is WAMPCRA:
            salt = urlsafe_b64encode(noise).rstrip(b"=").decode()
            return Principal(credential=CraKeys((), Salting(salt, credentials.ITERATIONS, credentials.KEYLEN)))
        if self._method is SCRAM:
            passes, memory = credentials.ARGON2_PASSES, credentials.ARGON2_MEMORY
            kdf = KDFS[STANDARD if choice % 2 else DIALECT][0]
            return Principal(credential=ScramCredential(Derivation(kdf, noise, passes, memory), ()))
        return None

    def _find(self, lookup: Lookup, kinds: tuple[str, ...]) -> Principal | None:
        if not principals.can_be_stored(lookup.realm or "", lookup.authid or ""):
            return None
        self._sample(lookup.realm)
        if lookup.fingerprints or lookup.public_key is not None:
            wanted = lookup.fingerprints or (lookup.public_key or "",)
            authid = None if lookup.fingerprints else lookup.authid
            found = principals.find_by_fingerprint(lookup.realm, kinds[0], wanted, authid)
        else:
            found = principals.find(lookup.realm, lookup.authid or "", kinds)
        return None if found is None else _principal(found, self._method, kinds)

    def _sample(self, realm: str | None) -> None:
        """Read new sample credentials if the cached ones are too old. Only their salts and parameters are used."""
        known = self._models.get(realm)
        if self._method not in (WAMPCRA, SCRAM) or (known is not None and time.monotonic() < known.until):
            return
        if len(self._models) >= MAX_SAMPLED_REALMS:
            self._models.clear()
        kinds = {kind for name in self._method.wire_names for kind in kinds_for(name)}
        found = principals.sample(kinds, realm)
        samples = tuple(Principal(role, credential=_credential(self._method, (one,))) for role, one in found)
        self._models[realm] = Models(samples, time.monotonic() + SAMPLE_LIFETIME_SECONDS)


class Models(NamedTuple):
    """Some principals of a realm, as models for challenges to unknown clients. They are used until ``until``."""

    principals: tuple[Principal, ...]
    until: float


def _principal(found: StoredPrincipal, method: AuthMethod, kinds: tuple[str, ...]) -> Principal | None:
    """Return a principal with its credential; None if it has no valid credential for the method."""
    best = next((kind for kind in kinds if any(one.method == kind for one in found.credentials)), None)
    usable = tuple(one for one in found.credentials if one.method == best)
    if not usable:
        return None
    return Principal(found.role, found.authid, found.realm, found.authextra, _credential(method, usable))


def _credential(method: AuthMethod, usable: tuple[StoredCredential, ...]) -> Credential | None:
    if method is TICKET:
        return HashedTickets(tuple((one.id, one.data["hash"]) for one in usable))
    if method is CRYPTOSIGN:
        return PublicKeys(tuple(one.fingerprint for one in usable))
    if method is TLS:
        return None
    first = usable[0].data
    alike = [one.data for one in usable if _salting(one.data) == _salting(first)]
    if method is WAMPCRA:
        salting = Salting(first["salt"], first["iterations"], first["keylen"])
        return CraKeys(tuple(data["key"] for data in alike), salting)
    return ScramCredential(_derivation(first), tuple(_keys(data) for data in alike))


def _salting(data: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the parameters that a challenge contains. Keys with different parameters cannot share a challenge."""
    return tuple(data.get(name) for name in ("kdf", "salt", "iterations", "memory", "keylen"))


def _derivation(data: Mapping[str, Any]) -> Derivation:
    return credentials.derivation_of(data)


def _keys(data: Mapping[str, Any]) -> ScramKeys:
    return ScramKeys(bytes.fromhex(data["stored_key"]), bytes.fromhex(data["server_key"]))
