"""The principals in the configuration, as a source for authentication methods."""

from collections.abc import Callable, Mapping

from ..config.auth import MethodAuth
from ..config.principals import (
    CraPrincipal,
    CryptosignPrincipal,
    ScramPrincipal,
    StaticPrincipal,
    TicketPrincipal,
    TlsPrincipal,
)
from .cra_method import salting_of
from .fingerprints import fingerprint
from .principals import CraKeys, CraPassword, Credential, Lookup, Principal, PublicKeys, ScramCredential, TicketCheck
from .providers import AuthProvider
from .scram import Derivation, ScramKeys
from .ticket import DelayedTickets, PlainTickets

Hashed = Callable[[tuple[str, ...]], TicketCheck]
"""A function that returns a checker for tickets, given their hashes.

Without hashes, it returns a checker that accepts no ticket, but takes as long as a checker for one hash.
"""


class StaticPrincipals:
    """The principals that a service's configuration lists for one authentication method.

    ``hashed`` creates the checkers for tickets that are stored as hashes; see :data:`Hashed`.
    """

    provider = AuthProvider.STATIC.value

    def __init__(self, settings: MethodAuth, hashed: Hashed = lambda _: PlainTickets(())) -> None:
        listed = settings.listed()
        has_hashes = any(isinstance(each, TicketPrincipal) and each.ticket_hash is not None for each in listed.values())
        delay = hashed(()) if has_hashes else None
        self._nobody = None if delay is None else Principal(credential=delay)
        self._principals = {authid: _principal(authid, each, hashed, delay) for authid, each in listed.items()}
        self._by_key = _by_key(listed)
        self._names = sorted(self._principals)
        self._identities = {(each.authid, each.role or settings.default_role) for each in self._principals.values()}
        self._by_fingerprint = {
            one: authid
            for authid, each in listed.items()
            if isinstance(each, TlsPrincipal)
            for one in _fingerprints(each)
        }

    async def find(self, lookup: Lookup) -> Principal | None:
        """Return the principal for a login.

        A principal is found by its certificate or authid. If the client sends no authid, the principal is found by its
        public key, provided that no other principal has the same key. If no principal is found, return None. However,
        if the configuration contains hashed tickets, return a principal that accepts no ticket, but whose check takes
        as long as that of a hashed ticket.
        """
        authid = lookup.authid
        if lookup.fingerprints:
            known = [self._by_fingerprint[one] for one in lookup.fingerprints if one in self._by_fingerprint]
            authid = known[0] if known else None
        elif authid is None and lookup.public_key is not None:
            owners = self._by_key.get(lookup.public_key, [])
            authid = owners[0] if len(owners) == 1 else None
        return self._nobody if authid is None else self._principals.get(authid, self._nobody)

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        return self._principals[self._names[choice % len(self._names)]] if self._names else None

    def has(self, authid: str, role: str) -> bool:
        """Return whether a principal exists whose sessions have this authid and role."""
        return (authid, role) in self._identities


def _principal(authid: str, settings: StaticPrincipal, hashed: Hashed, delay: TicketCheck | None) -> Principal:
    credential = _tickets(settings, hashed, delay) if isinstance(settings, TicketPrincipal) else _credential(settings)
    return Principal(settings.role, settings.authid or authid, settings.realm, settings.extra, credential)


def _tickets(settings: TicketPrincipal, hashed: Hashed, delay: TicketCheck | None) -> TicketCheck:
    if settings.ticket_hash is not None:
        return hashed((settings.ticket_hash.reveal(),))
    plain = PlainTickets(() if settings.ticket is None else (settings.ticket.reveal(),))
    return plain if delay is None else DelayedTickets(plain, delay)


def _credential(settings: StaticPrincipal) -> Credential | None:
    if isinstance(settings, CraPrincipal):
        return _cra(settings)
    if isinstance(settings, ScramPrincipal):
        derivation = Derivation(settings.kdf, bytes.fromhex(settings.salt), settings.iterations, settings.memory)
        stored, server = settings.stored_key.reveal(), settings.server_key.reveal()
        return ScramCredential(derivation, (ScramKeys(bytes.fromhex(stored), bytes.fromhex(server)),))
    if isinstance(settings, CryptosignPrincipal):
        return PublicKeys(tuple(key.lower() for key in settings.authorized_keys))
    return None


def _cra(settings: CraPrincipal) -> CraKeys | CraPassword | None:
    salting = salting_of(settings.salt, settings.iterations, settings.keylen)
    if settings.derived_key is not None:
        return CraKeys((settings.derived_key.reveal(),), salting)
    if settings.secret is None:
        return None
    secret = settings.secret.reveal()
    return CraKeys((secret,)) if salting is None else CraPassword(secret, salting)


def _by_key(listed: Mapping[str, StaticPrincipal]) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    for authid, each in listed.items():
        for key in {one.lower() for one in each.authorized_keys} if isinstance(each, CryptosignPrincipal) else ():
            owners.setdefault(key, []).append(authid)
    return owners


def _fingerprints(settings: TlsPrincipal) -> list[str]:
    given = {"sha1": settings.certificate_sha1, "sha256": settings.certificate_sha256}
    return [fingerprint(algorithm, text) for algorithm, text in given.items() if text is not None]
