"""The authentication of a node's clients, as the current configuration defines it."""

import importlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib.auth.hashers import identify_hasher
from django.utils.crypto import salted_hmac

from ..auth.anonymous_and_tls import AnonymousMethod, TlsMethod
from ..auth.cra_method import CraMethod
from ..auth.cryptosign_method import CryptosignMethod
from ..auth.dynamic import DynamicPrincipals, FunctionPrincipals
from ..auth.method import Method
from ..auth.operators import OperatorMethod
from ..auth.principals import LoginDenied, Principals, World
from ..auth.providers import WATCHED, AuthProvider
from ..auth.scram_method import ScramMethod
from ..auth.static import StaticPrincipals
from ..auth.ticket import TicketMethod
from ..config.auth import CryptosignAuth, DjangoAuth, MethodAuth
from ..config.auth_methods import (
    ANONYMOUS,
    BY_WIRE_NAME,
    COOKIE,
    CRYPTOSIGN,
    DJANGO_SESSION,
    OPERATOR,
    SCRAM,
    TICKET,
    TLS,
    WAMPCRA,
)
from ..config.configuration import PathService, service_options
from ..config.websocket import WebSocketSection
from ..node.local import ServiceSessions
from ..project_code import call_guarded
from ..router.decisions import Admit, ChallengePeer, Deny, Skip
from ..router.effects import AuthenticationRequest
from ..router.environment import rfc3339
from ..router.options import TRUSTED
from ..router.records import Session
from ..stores.connections import with_clean_connections
from ..wamp import errors
from ..wamp.errors import ApplicationError, PayloadError, SessionClosed
from ..worker_threads import WorkersBusy, WorkerThreads
from .cookie_logins import CookieLogins
from .identity.django_methods import SessionMethod, TokenPrincipals
from .identity.identity_services import IdentityServices
from .identity.stored_principals import HashedTickets, StoredPrincipals
from .threads import MAX_LOGIN_WAIT_SECONDS, MAX_QUEUED_LOGINS

logger = logging.getLogger(__name__)

HASH_THREADS: Final = 2
"""The maximum number of slow password hashes that are computed at the same time."""

FUNCTION_THREADS: Final = 8
"""The maximum number of the project's synchronous authenticators that run at the same time."""

METHOD_CLASSES: Final[dict[str, Callable[[Principals, World, str | None], Method]]] = {
    ANONYMOUS.name: AnonymousMethod,
    TICKET.name: TicketMethod,
    WAMPCRA.name: CraMethod,
    SCRAM.name: ScramMethod,
    CRYPTOSIGN.name: CryptosignMethod,
    TLS.name: TlsMethod,
}


def _login_threads(name: str, size: int) -> WorkerThreads:
    return WorkerThreads(
        name, size, max_queued=MAX_QUEUED_LOGINS, max_wait_seconds=MAX_LOGIN_WAIT_SECONDS, around=with_clean_connections
    )


def router_key() -> bytes:
    """Return the router's default private key, derived from SECRET_KEY so that all processes use the same key."""
    return salted_hmac("wamp_transport.auth.router_key", "", algorithm="sha256").digest()


class Authentication:
    """The authenticator for all WAMP services of a node."""

    def __init__(self, cookies: CookieLogins, sessions: ServiceSessions, identities: IdentityServices) -> None:
        self._cookies = cookies
        self._sessions = sessions
        self._identities = identities
        self._hashing = _login_threads("wamp-login", HASH_THREADS)
        self._functions = _login_threads("wamp-login-function", FUNCTION_THREADS)
        self._services: dict[str, ServiceLogins] = {}
        self._operators: OperatorMethod | None = None
        self.world = World(
            random_bytes=os.urandom,
            timestamp=lambda: rfc3339(datetime.now(UTC)),
            offload=self._hashing.run,
            # All processes use the same key. Challenges that differ between them would reveal that a principal does not
            # exist.
            secret_key=salted_hmac("wamp_transport.auth.decoys", "", algorithm="sha256").digest(),
            router_key=router_key(),
        )

    def admit_operators(self, key: str) -> None:
        """Accept operators on all services, with any role, including ``trusted``.

        Operators must prove that they know ``key``.
        """
        self._operators = OperatorMethod(key, self.world)

    def configure(self, services: Mapping[str, PathService]) -> None:
        """Build the authentication methods of ``services`` and use them.

        If the methods of some services cannot be built, raise the first error after the other methods are in use.
        """
        prepared = self.prepare(services)
        self.use(prepared)
        for error in prepared.failures.values():
            raise error

    def prepare(self, services: Mapping[str, PathService]) -> "PreparedLogins":
        """Build the authentication methods of ``services``, for a later call of :meth:`use`.

        Unchanged services keep their methods. Call this method in a thread, because it imports modules.
        """
        prepared = PreparedLogins({}, {})
        for key, service in services.items():
            if not isinstance(service.settings, WebSocketSection):
                continue
            known = self._services.get(key)
            try:
                if known is None or known.service != service:
                    known = ServiceLogins(service, self._sources(service), self._django_method)
            except Exception as error:  # noqa: BLE001 - one failure must not leave the other services with outdated principals
                prepared.failures[key] = error
            else:
                prepared.services[key] = known
        return prepared

    def use(self, prepared: "PreparedLogins") -> set[str]:
        """Use the prepared methods. Return the keys of the services whose methods were replaced or removed."""
        before, self._services = self._services, prepared.services
        return {key for key, known in before.items() if prepared.services.get(key) is not known}

    async def authenticate(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Return the next step of a login: a challenge, or the decision to admit, skip or deny."""
        service = self._services.get(request.service)
        if service is None:
            return Deny(errors.AUTHENTICATION_FAILED, "this service no longer exists")
        kind = BY_WIRE_NAME[request.method]
        if kind is COOKIE:
            return await self._cookies.admit(request, service.is_still_allowed)
        method = self._operators if kind is OPERATOR else service.methods.get(kind.name)
        if method is None:
            return Skip()
        try:
            if request.message is None:
                answer = await method.begin(request)
            else:
                answer = await method.finish(request, request.message, request.pending)
        except LoginDenied as denied:
            return Deny(denied.reason, str(denied))
        except WorkersBusy:
            return Deny(errors.UNAVAILABLE, "too many logins at the same time; try again later")
        if isinstance(answer, Admit) and kind.may_be_remembered and answer.authprovider not in WATCHED:
            await self._cookies.remember(request, answer)
        return answer

    def is_stale(self, session: Session) -> bool:
        """Return whether a session's principal was removed from the configuration or has another role now."""
        service = self._services.get(session.service.key)
        if service is None:
            return False
        if not BY_WIRE_NAME[session.authmethod].ends_with_principal:
            return False
        return not service.is_still_allowed(session.authmethod, session.authprovider, session.authid, session.authrole)

    def close(self) -> None:
        """Stop all threads that logins use."""
        self._hashing.close()
        self._functions.close()
        self._identities.close()

    def _sources(self, service: PathService) -> Callable[[str, MethodAuth], tuple[Principals, Method]]:
        def source(name: str, settings: MethodAuth) -> tuple[Principals, Method]:
            principals = self._principals(name, settings)
            router_key_hex = settings.router_key if isinstance(settings, CryptosignAuth) else None
            world = (
                self.world
                if router_key_hex is None
                else replace(self.world, router_key=bytes.fromhex(router_key_hex.reveal()))
            )
            return principals, METHOD_CLASSES[name](principals, world, settings.default_role)

        return source

    def _django_method(self, name: str, settings: DjangoAuth) -> Method:
        watch, role = self._identities.session_watch, settings.default_role
        if name == DJANGO_SESSION.name:
            return SessionMethod(watch, self._identities.credentials, role)
        return TicketMethod(TokenPrincipals(watch, role), self.world, role)

    def _principals(self, name: str, settings: MethodAuth) -> Principals:
        if settings.type == "database":
            return StoredPrincipals(BY_WIRE_NAME[name])
        if settings.type == "token":
            return TokenPrincipals(self._identities.session_watch, settings.default_role)
        if settings.type == "dynamic":
            return DynamicPrincipals(
                self._call, settings.authenticator or "", settings.authenticator_realm, settings.authenticator_role
            )
        if settings.type == "function":
            create = settings.create or ""
            world = replace(self.world, offload=self._functions.run)
            return FunctionPrincipals(world, create, _create_authenticator(create, settings.config))
        return StaticPrincipals(settings, _hashed_tickets)

    async def _call(self, realm: str, role: str | None, procedure: str, arguments: list[Any]) -> Any:
        """Call a procedure as the router and return its result. Raises ApplicationError if it fails."""
        try:
            session = await self._sessions.of(realm, role or TRUSTED)
            return (await session.call(procedure, arguments)).value
        except SessionClosed as ended:
            raise ApplicationError(ended.reason, str(ended)) from ended
        except PayloadError as fault:
            raise ApplicationError(fault.uri, str(fault)) from fault


@dataclass(frozen=True, slots=True)
class PreparedLogins:
    """The authentication methods to use for each service, and the errors of services whose methods cannot be built."""

    services: dict[str, "ServiceLogins"]
    failures: dict[str, Exception]


class ServiceLogins:
    """The authentication methods of one service."""

    def __init__(
        self,
        service: PathService,
        source: Callable[[str, MethodAuth], tuple[Principals, Method]],
        django: Callable[[str, DjangoAuth], Method],
    ) -> None:
        self.service = service
        settings = service.settings
        auth = settings.auth if isinstance(settings, WebSocketSection) else None
        enabled = service_options(service).authmethods
        found = auth.methods() if auth is not None else {}
        built = {name: source(name, each) for name, each in found.items() if name in enabled}
        self.methods = {name: method for name, (_, method) in built.items()}
        self._django = auth.django_methods() if auth is not None else {}
        self.methods |= {name: django(name, each) for name, each in self._django.items()}
        self._principals = {name: principals for name, (principals, _) in built.items()}

    def is_still_allowed(self, authmethod: str, authprovider: str, authid: str, authrole: str) -> bool:
        """Return whether the current methods still allow this login, judging by the configuration alone."""
        if authmethod in self._django:
            return True  # the session watch ends sessions of Django's users
        if authprovider == AuthProvider.COOKIE:
            return any(may_exist(each, authid, authrole) for each in self._principals.values())
        principals = self._principals.get(BY_WIRE_NAME[authmethod].name)
        if principals is None or principals.provider != authprovider:
            return False  # a principal from another source can have the same name
        return may_exist(principals, authid, authrole)


def may_exist(principals: Principals, authid: str, authrole: str) -> bool:
    """Return whether ``principals`` can contain a principal with this authid and role.

    Return True for a source outside the configuration, because it cannot be searched without a login.
    """
    return not isinstance(principals, StaticPrincipals) or principals.has(authid, authrole)


def _hashed_tickets(hashes: tuple[str, ...]) -> HashedTickets:
    """Return a checker for tickets, given their hashes in the configuration.

    If the algorithm of a hash is unknown, log an error. No ticket matches this hash.
    """
    for each in hashes:
        try:
            identify_hasher(each)
        except ValueError:
            logger.error("A ticket_hash accepts no ticket: its algorithm is not in PASSWORD_HASHERS")
    return HashedTickets(tuple((None, each) for each in hashes))


def _create_authenticator(name: str, config: dict[str, Any] | None) -> Callable[..., Any] | None:
    """Create an authenticator: call the function at the dotted path ``name`` with ``config``, and return its result.

    If this fails, log the reason and return None.
    """
    module, _, attribute = name.rpartition(".")
    try:
        create = getattr(call_guarded(importlib.import_module, module), attribute)
        function = call_guarded(create, config, None)
        if callable(function):
            return function  # type: ignore[no-any-return]
        logger.error("Logins with %s are not possible: it did not return a callable", name)
    except Exception:
        logger.exception("Logins with %s are not possible: it failed", name)
    return None
