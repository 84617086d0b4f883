"""The login guard of a node. It counts failed logins, refuses logins during a lockout, and records audit entries."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from django.db import DatabaseError

from ...auth.credential_kinds import kinds_for
from ...auth.cryptosign import public_key
from ...auth.fingerprints import fingerprints_of
from ...auth.providers import AuthProvider
from ...config.auth_methods import BY_WIRE_NAME, CRYPTOSIGN, TLS
from ...config.limits import Lockout
from ...node.decision_tasks import Authenticator
from ...router.decisions import Admit, ChallengePeer, Deny, Skip
from ...router.effects import AuthenticationRequest
from ...router.records import ACTIVE_STATES, RemoteCaller, Session
from ...signals import LoginFailure
from ...stores.identity import principals, users
from ...stores.identity.users import Identity
from ...wamp import errors
from ...wamp.messages import Error
from ..threads import DatabaseBusy, in_thread
from .audit import AuditTrail
from .django_methods import UserSkipped, user_of
from .session_watch import SessionWatch
from .throttle import Attempt, Throttle, address_of

logger = logging.getLogger(__name__)

DENIAL_ERRORS: Final = frozenset({errors.NOT_AUTHORIZED, errors.AUTHORIZATION_FAILED, errors.QUOTA_EXCEEDED})


class LockedOut(Deny):
    """A denial because of a lockout. The secret was not checked."""


class GuardedAuthenticator:
    """An authenticator that adds lockouts and audit entries to the authenticator ``inside``.

    ``lockouts()`` returns the lockout options of each service, by its key. ``session_of(id)`` returns a session of the
    router, or None if the session does not exist. ``on_failed`` is called after each failed login.
    """

    def __init__(
        self,
        inside: Authenticator,
        lockouts: Callable[[], Mapping[str, Lockout]],
        session_of: Callable[[int], Session | None],
        session_watch: SessionWatch,
        audit: AuditTrail,
        on_failed: Callable[[LoginFailure], None] = lambda _: None,
    ) -> None:
        self._inside = inside
        self._lockouts = lockouts
        self._session_of = session_of
        self._session_watch = session_watch
        self._audit = audit
        self._on_failed = on_failed
        self._throttle = Throttle()
        self._tasks: set[asyncio.Task[None]] = set()

    async def authenticate(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Return the next step of a login. During a lockout, deny the login without calling the inner authenticator."""
        try:
            answer = await self._decide(request)
        except DatabaseBusy:
            # This can happen before or after the secret is checked. The denial is the same in both cases, because an
            # attempt that was not counted must not show whether the secret was wrong.
            answer = Deny(errors.UNAVAILABLE, "too many logins at the same time; try again later")
        if isinstance(answer, LockedOut):
            self._audit.record("lockout", **self._columns(request))
            self._report_failure(request, answer, is_locked_out=True)
        elif isinstance(answer, Deny):
            columns = self._columns(request, user_of(answer))
            self._audit.record("failure", **columns, reason=answer.reason, detail=answer.message)
            self._report_failure(request, answer)
        elif isinstance(answer, UserSkipped):
            # The peer may still log in with another method, so this is recorded, but not reported as a failed login.
            self._audit.record("failure", **self._columns(request, answer.authid), detail=answer.message)
        elif isinstance(answer, Admit):
            asyncio.get_running_loop().call_soon(self._on_admitted, request, answer)
        return answer

    async def _decide(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Return the next step of a login. Raises DatabaseBusy if too many database jobs are queued."""
        if not BY_WIRE_NAME[request.method].has_guessable_secret:
            answer = await self._inside.authenticate(request)
        elif request.message is None:
            answer = await self._authenticate_throttled(request)
        else:
            async with self._throttle.place_for(self._attempt(request)):
                answer = await self._authenticate_throttled(request)
        if isinstance(answer, Admit) and answer.authprovider == AuthProvider.DATABASE:
            identity = await in_thread(users.of_stored, answer.realm, answer.authid, answer.authrole)
            self._session_watch.watch(request.session_id, identity, None)
        return answer

    async def _authenticate_throttled(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Return the next step of a login with a secret that can be guessed.

        During a lockout, deny the login. If the secret is wrong, count a failure.
        """
        attempt = self._attempt(request)
        if seconds := await self._throttle.seconds_to_wait(attempt):
            return LockedOut(message=f"too many failed logins: try again in {seconds} seconds")
        try:
            answer = await self._inside.authenticate(request)
        except asyncio.CancelledError:
            # Count the attempt even if the client disconnects during the check, because the work was done.
            if request.message is not None:
                self._run_in_background(self._uncritically(self._throttle.count_failure, attempt))
            raise
        if isinstance(answer, Deny) and answer.reason == errors.AUTHENTICATION_DENIED:
            await self._throttle.count_failure(attempt)
        return answer

    def _attempt(self, request: AuthenticationRequest) -> Attempt:
        limits = self._lockouts().get(request.service, Lockout())
        # All names of a method in the protocol share a counter.
        method = BY_WIRE_NAME[request.method].name
        return Attempt(limits, address_of(request.transport), method, request.hello.details.authid)

    async def _uncritically(self, function: Callable[[Attempt], Coroutine[Any, Any, None]], attempt: Attempt) -> None:
        """Call a method of the throttle with ``attempt``. If it raises DatabaseBusy, ignore the exception."""
        with suppress(DatabaseBusy):
            await function(attempt)

    def _run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def on_denied(self, session: Session, error: Error) -> None:
        """Record that an action of a session was denied, because of its permissions or of a limit."""
        if error.error in DENIAL_ERRORS:
            detail = error.args[0] if isinstance(error.args, list | tuple) and error.args else ""
            self._audit.record("denial", **of_session(session), reason=error.error, detail=str(detail))

    def on_closed(self, session_id: int, identity: Identity, message: str) -> None:
        """Record that a session is closed because its user has changed."""
        session = self._session_of(session_id)
        if session is not None:
            self._audit.record("closed", **of_session(session), reason=errors.CLOSE_LOGOUT, detail=message)

    def on_killed(self, session: Session, killer: Session | RemoteCaller, reason: str) -> None:
        """Record that the session ``killer`` has ended a session."""
        address = address_of(killer.transport)
        place = "" if address is None else f" from {address}"
        detail = f"by {killer.authid} (role {killer.authrole}, session {killer.id}){place}"
        self._audit.record("kill", **of_session(session), session=session.id, reason=reason, detail=detail)

    def _on_admitted(self, request: AuthenticationRequest, answer: Admit) -> None:
        """Record a successful login.

        Call this after the router has processed ``answer``, because the realm can still refuse the session.
        """
        session = self._session_of(request.session_id)
        if session is None or session.state not in ACTIVE_STATES:
            refused = Deny(errors.AUTHENTICATION_FAILED, "refused by the realm")
            self._audit.record("failure", **self._columns(request, answer.authid), detail=refused.message)
            self._report_failure(request, refused, answer.authid)
            return
        self._audit.record("login", **of_session(session), session=session.id)
        if BY_WIRE_NAME[request.method].has_guessable_secret:
            self._run_in_background(self._uncritically(self._throttle.trust, self._attempt(request)))
        if answer.authprovider == AuthProvider.DATABASE:
            self._run_in_background(
                self._record_use(answer, kinds_for(request.method), _presented_fingerprints(request))
            )

    async def _record_use(self, answer: Admit, kinds: Iterable[str], fingerprints: Iterable[str]) -> None:
        try:
            await in_thread(principals.used, answer.realm, answer.authid, kinds, fingerprints)
        except DatabaseError as error:
            logger.warning("The last use of a principal cannot be recorded: %s", error)

    def _report_failure(
        self, request: AuthenticationRequest, answer: Deny, authid: str | None = None, *, is_locked_out: bool = False
    ) -> None:
        columns = self._columns(request, authid or user_of(answer))
        failure = LoginFailure(**columns, reason=answer.reason, message=answer.message, is_locked_out=is_locked_out)
        self._on_failed(failure)

    def _columns(self, request: AuthenticationRequest, authid: str | None = None) -> dict[str, Any]:
        """Return the columns of an audit entry that describe a login.

        If the client has proved its identity, ``authid`` is its name. If ``authid`` is None, use the name in HELLO.
        """
        return {
            "realm": request.hello.realm,
            "authid": authid or request.hello.details.authid,
            "authmethod": request.method,
            "address": address_of(request.transport),
            "service": request.service,
        }


def of_session(session: Session) -> dict[str, Any]:
    """Return the columns of an audit entry that describe a session."""
    return {
        "realm": session.realm,
        "authid": session.authid,
        "authrole": session.authrole,
        "authmethod": session.authmethod,
        "address": address_of(session.transport),
        "service": session.service.key,
    }


def _presented_fingerprints(request: AuthenticationRequest) -> list[str]:
    """Return the public key, or the fingerprints of the certificate, that a client presented."""
    if request.method == TLS.name:
        return list(fingerprints_of(request.transport.get("peer_cert")))
    key = public_key((request.hello.details.authextra or {}).get("pubkey"))
    return [key] if request.method == CRYPTOSIGN.name and key is not None else []
