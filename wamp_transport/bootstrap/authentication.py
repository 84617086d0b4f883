"""Who may log in at which service: the node's authenticator, made from the configuration and kept in step with it."""

import importlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.auth.hashers import identify_hasher
from django.utils.crypto import salted_hmac

from ..auth.cra_method import CraMethod
from ..auth.cryptosign_method import CryptosignMethod
from ..auth.dynamic import DynamicPrincipals, FunctionPrincipals
from ..auth.method import Method
from ..auth.operators import OperatorMethod
from ..auth.principals import LoginDenied, Principals, World
from ..auth.scram_method import ScramMethod
from ..auth.static import StaticPrincipals
from ..auth.ticket import TicketMethod
from ..auth.unchallenged import AnonymousMethod, TlsMethod
from ..config.auth import CryptosignAuth, DjangoAuth, MethodAuth
from ..config.configuration import PathService, service_options
from ..config.websocket import WebSocketSection
from ..node.local import ServiceSessions
from ..router.answers import Admit, Challenge, Deny, Skip
from ..router.effects import Authenticate
from ..router.options import OPERATOR, TRUSTED
from ..router.ports import rfc3339
from ..router.records import Session
from ..wamp import errors
from ..wamp.errors import ApplicationError, PayloadError, SessionClosed
from .cookie_logins import METHOD as COOKIE
from .cookie_logins import CookieLogins
from .identity.django_methods import DJANGO, SESSION, SIGNED, SessionMethod, TokenPrincipals
from .identity.identities import Identities
from .identity.stored_principals import PROVIDER as STORED
from .identity.stored_principals import HashedTickets, StoredPrincipals
from .threads import Busy, Threads

logger = logging.getLogger(__name__)

HASH_THREADS: Final = 2
"""Slow hashes that are computed at a time."""

FUNCTION_THREADS: Final = 8
"""Functions that decide on logins and run at the same time."""

METHODS: Final[dict[str, Callable[[Principals, World, str | None], Method]]] = {
    "anonymous": AnonymousMethod,
    "ticket": TicketMethod,
    "wampcra": CraMethod,
    "scram": ScramMethod,
    "cryptosign": CryptosignMethod,
    "tls": TlsMethod,
}

UNREMEMBERED: Final = ("anonymous", "tls", OPERATOR)
"""Methods after which a cookie stands for no login: there is none, or a certificate or key must be shown each time."""

FOLLOWED: Final = frozenset({DJANGO, SIGNED, STORED})
"""The providers whose sessions follow what the database says: a cookie of ours must not outlive a logout."""


def router_key() -> bytes:
    """The private key of the router where the configuration gives none: made of SECRET_KEY, alike in all processes."""
    return salted_hmac("wamp_transport.auth.router_key", "", algorithm="sha256").digest()


class Authentication:
    """The authenticator of a node, for all its services."""

    def __init__(self, cookies: CookieLogins, sessions: ServiceSessions, identities: Identities) -> None:
        self._cookies = cookies
        self._sessions = sessions
        self._identities = identities
        self._hashing = Threads("wamp-login", HASH_THREADS)
        self._functions = Threads("wamp-login-function", FUNCTION_THREADS)
        self._services: dict[str, ServiceLogins] = {}
        self._operators: OperatorMethod | None = None
        self.world = World(
            random_bytes=os.urandom,
            timestamp=lambda: rfc3339(datetime.now(UTC)),
            offload=self._hashing.run,
            # The same in all processes: two of them must not tell an unknown peer two things.
            secret_key=salted_hmac("wamp_transport.auth.decoys", "", algorithm="sha256").digest(),
            router_key=router_key(),
        )

    def let_in_operators(self, key: str) -> None:
        """Who has ``key`` joins at every service, with any role of the realm, or ``trusted``."""
        self._operators = OperatorMethod(key, self.world)

    def configure(self, services: Mapping[str, PathService]) -> None:
        """Take the services by key; those that are as before keep what they have. Call it in a thread: it imports."""
        self._services = {
            key: known
            if (known := self._services.get(key)) is not None and known.service == service
            else ServiceLogins(service, self._sources(service), self._django_method)
            for key, service in services.items()
            if isinstance(service.settings, WebSocketSection)
        }

    async def authenticate(self, request: Authenticate) -> Challenge | Admit | Skip | Deny:
        """See :class:`~..node.deciding.Authenticator`."""
        service = self._services.get(request.service)
        if service is None:
            return Deny(errors.AUTHENTICATION_FAILED, "this service is no more")
        if request.method == COOKIE:
            return await self._cookies.admit(request, service.may_be)
        method = service.methods.get(CONFIGURED_AS.get(request.method, request.method))
        if request.method == OPERATOR:
            method = self._operators
        if method is None:
            return Skip()
        try:
            if request.message is None:
                answer = await method.begin(request)
            else:
                answer = await method.finish(request, request.message, request.pending)
        except LoginDenied as denied:
            return Deny(denied.reason, str(denied))
        except Busy:
            return Deny(errors.UNAVAILABLE, "too many logins at a time; try again later")
        if isinstance(answer, Admit) and request.method not in UNREMEMBERED and answer.authprovider not in FOLLOWED:
            await self._cookies.remember(request, answer)
        return answer

    def is_stale(self, session: Session) -> bool:
        """Whether a static principal that a session has logged in as is no more, or has another role now."""
        service = self._services.get(session.service.key)
        if service is None:
            return False
        if session.authmethod in ("anonymous", OPERATOR):
            return False
        return not service.may_be(session.authmethod, session.authprovider, session.authid, session.authrole)

    def close(self) -> None:
        """The process ends."""
        self._hashing.close()
        self._functions.close()
        self._identities.close()

    def _sources(self, service: PathService) -> Callable[[str, MethodAuth], tuple[Principals, Method]]:
        def source(name: str, settings: MethodAuth) -> tuple[Principals, Method]:
            principals = self._principals(name, settings)
            given = settings.router_key if isinstance(settings, CryptosignAuth) else None
            world = self.world if given is None else replace(self.world, router_key=bytes.fromhex(given.reveal()))
            return principals, METHODS[name](principals, world, settings.default_role)

        return source

    def _django_method(self, name: str, settings: DjangoAuth) -> Method:
        live, role = self._identities.live, settings.default_role
        if name == SESSION:
            return SessionMethod(live, self._identities.credentials, role)
        return TicketMethod(TokenPrincipals(live, role), self.world, role)

    def _principals(self, name: str, settings: MethodAuth) -> Principals:
        if settings.type == "database":
            return StoredPrincipals(name)
        if settings.type == "token":
            return TokenPrincipals(self._identities.live, settings.default_role)
        if settings.type == "dynamic":
            return DynamicPrincipals(
                self._call, settings.authenticator or "", settings.authenticator_realm, settings.authenticator_role
            )
        if settings.type == "function":
            create = settings.create or ""
            world = replace(self.world, offload=self._functions.run)
            return FunctionPrincipals(world, create, _made(create, settings.config))
        return StaticPrincipals(settings, _hashed)

    async def _call(self, realm: str, role: str | None, procedure: str, arguments: list[Any]) -> Any:
        """The first result of a procedure, called by a session of the router's own. Raises ApplicationError."""
        try:
            session = await self._sessions.of(realm, role or TRUSTED)
            return (await session.call(procedure, arguments)).value
        except SessionClosed as ended:
            raise ApplicationError(ended.reason, str(ended)) from ended
        except PayloadError as fault:
            raise ApplicationError(fault.uri, str(fault)) from fault


CONFIGURED_AS: Final = {"wamp-scram": "scram"}
"""What methods are called in a configuration where clients call them otherwise."""


class ServiceLogins:
    """The methods of one service."""

    def __init__(
        self,
        service: PathService,
        source: Callable[[str, MethodAuth], tuple[Principals, Method]],
        django: Callable[[str, DjangoAuth], Method],
    ) -> None:
        self.service = service
        settings = service.settings
        auth = settings.auth if isinstance(settings, WebSocketSection) else None
        asked = service_options(service).authmethods
        found = auth.methods() if auth is not None else {}
        made = {name: source(name, each) for name, each in found.items() if name in asked}
        self.methods = {name: method for name, (_, method) in made.items()}
        self._django = auth.django_methods() if auth is not None else {}
        self.methods |= {name: django(name, each) for name, each in self._django.items()}
        self._principals = {name: principals for name, (principals, _) in made.items()}

    def may_be(self, authmethod: str, authprovider: str, authid: str, authrole: str) -> bool:
        """Whether who logged in as this could do so now. Sources that must be asked are taken at their word."""
        if authmethod in self._django:
            return True  # followed by other means
        if authprovider == COOKIE:
            return any(may_have(each, authid, authrole) for each in self._principals.values())
        principals = self._principals.get(CONFIGURED_AS.get(authmethod, authmethod))
        return principals is not None and may_have(principals, authid, authrole)


def may_have(principals: Principals, authid: str, authrole: str) -> bool:
    """Whether there is such a principal, as far as can be told without asking."""
    return not isinstance(principals, StaticPrincipals) or principals.has(authid, authrole)


def _hashed(hashes: tuple[str, ...]) -> HashedTickets:
    """What checks tickets by hashes of the configuration. One of a kind that Django does not know lets nobody in."""
    for each in hashes:
        try:
            identify_hasher(each)
        except ValueError:
            logger.error("Nobody can log in by a ticket_hash that is of no algorithm in PASSWORD_HASHERS")
    return HashedTickets(tuple((None, each) for each in hashes))


def _made(name: str, config: dict[str, Any] | None) -> Callable[..., Any] | None:
    """The function that ``create`` makes; None where that fails, which is logged."""
    module, _, attribute = name.rpartition(".")
    try:
        function = getattr(importlib.import_module(module), attribute)(config, None)
        if callable(function):
            return function  # type: ignore[no-any-return]
        logger.error("Nobody can log in by %s: it made no callable", name)
    except Exception:
        logger.exception("Nobody can log in by %s: it cannot be made", name)
    return None
