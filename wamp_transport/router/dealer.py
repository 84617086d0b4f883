"""Handle remote procedure calls within one realm: manage registrations and choose a callee for each call.

See the WAMP specification: Basic Profile, "Remote Procedure Calls"; Advanced Profile, "Pattern-based Registrations",
"Shared Registration", "Caller Identification", "Call Trust Levels", "Progressive Call Invocations", "Registration
Revocation" and "Call Re-Routing".
"""

from collections.abc import Mapping
from itertools import count

from ..wamp import errors
from ..wamp.errors import PayloadError, ProtocolViolation, RequestRefused
from ..wamp.messages import (
    Call,
    CallOptions,
    Error,
    Invocation,
    InvocationDetails,
    Register,
    Registered,
    Result,
    Unregister,
    Unregistered,
)
from ..wamp.payload import PYTHON
from ..wamp.uris import is_reserved, is_uri
from .calls import Calls
from .effects import Effect, Send
from .environment import Announce, Environment, RouterProcedure
from .invocation_details import NO_DETAILS, invocation_details, part_details
from .message_checks import check_announced, check_call_options, check_node_key, check_pattern, check_sizes
from .options import Match, RealmOptions
from .pattern_registry import PatternRegistry
from .permissions import Role, refusal
from .policies import choose, choose_by_key
from .records import REQUEST_KEY, Callee, CallPeer, CallRecord, Registration, RemoteSender, Session
from .registrations import add_callee, check_policy, describe, send_unregistered
from .remote_calls import LocalDealer, RealmCalls
from .remote_registrations import LocalRegistrations
from .suspension import MessageSuspended

NO_OPTIONS = CallOptions()


class Dealer:
    """The registrations of one realm. ``router_procedures`` are the procedures of the router itself, by URI."""

    def __init__(
        self,
        realm: str,
        roles: Mapping[str, Role],
        outbox: list[Effect],
        environment: Environment,
        announce: Announce,
        router_procedures: Mapping[str, RouterProcedure],
    ) -> None:
        self._roles = roles
        self._outbox = outbox
        self._environment = environment
        self._announce = announce
        self._router_procedures = router_procedures
        self._numbers = count(1)
        self._registry: PatternRegistry[Registration] = PatternRegistry(realm, "registration")
        self._index = self._registry.index
        self.registrations = self._registry.by_id
        self.options = RealmOptions(realm)
        self.calls = Calls(outbox, environment)
        self._remote: RealmCalls | None = None
        self._select, self._select_by_key = choose, choose_by_key

    def join_cluster(self, remote: RealmCalls) -> None:
        """Share registrations with the same realm on other nodes, and exchange calls with it."""
        self._remote = remote
        self._select, self._select_by_key = remote.choose, remote.choose_by_key
        remote.open(
            LocalDealer(self.registrations, self.calls, self._reroute, self._is_permitted),
            LocalRegistrations(self._registry, self._announce, self.revoke, self.remove_callee),
        )

    def configure(self, options: RealmOptions) -> None:
        """Apply new options."""
        self.options = self.calls.options = options

    # Hot path.

    def on_call(self, session: Session, message: Call) -> None:
        """Handle CALL: choose a callee and send INVOCATION to it, or call a procedure of the router itself.

        Raises RequestRefused if the call is not possible, ProtocolViolation if the message is invalid, and
        MessageSuspended if an authorizer must decide first.
        """
        open_call = session.calls.get(message.request_id ^ REQUEST_KEY)
        if (open_call is not None or session.ended_streams) and self._forward_part(session, message, open_call):
            return
        options = message.options
        is_plain = options == NO_OPTIONS
        if not is_plain:
            check_call_options(session, options, is_strict=self.options.strict_progress)
        procedure = message.procedure
        role = self._roles[session.authrole]
        decision = role.calls.get(procedure) or role.check(session, "call", procedure, options)
        if not is_plain and options.progress:
            # Further CALL messages with this id must not start new calls, even if this first CALL fails below.
            self.calls.remember_stream(session, message.request_id)
        limits = session.limits
        size = len(procedure) + len(message.args) + len(message.kwargs)
        if size > limits.unchecked_size:
            check_sizes(session, procedure, message, self._environment.is_deeper)
        if not decision.allowed:
            raise refusal(decision, "call", procedure)
        registration = self._index.exact.get(procedure)
        if registration is None:
            if procedure in self._router_procedures:
                self._answer(session, message)
                return
            registration = self._require_pattern(procedure)
        if size > limits.unchecked_size or len(session.calls) >= limits.unchecked_calls:
            limits.check_calls(len(session.calls), session.calls_size + size)
        try:
            record = self._invoke(session, message, registration, decision.disclose, is_plain, ())
        except RequestRefused:
            if registration.has_active_callee:
                raise
            record = self._invoke(session, message, self._require_pattern(procedure), decision.disclose, is_plain, ())
        if size > limits.unchecked_size:
            self.calls.count_size(record)

    def _invoke(
        self,
        session: CallPeer,
        message: Call,
        registration: Registration,
        disclose: bool,
        is_plain: bool,
        excluded: tuple[int, ...],
    ) -> CallRecord:
        """Choose a callee and send an INVOCATION to it. Raises RequestRefused if no callee is available.

        ``is_plain`` is True if the CALL has no options. Callees with session ids in ``excluded`` are not chosen.
        """
        options = message.options
        if registration.match != "exact":
            callees = registration.callees.values()
            barred = (each.peer.id for each in callees if not self._is_permitted(each, message.procedure))
            excluded = (*excluded, *barred)
        callee = self._choose(registration, message, excluded)
        details = NO_DETAILS
        if disclose or callee.disclose_caller or registration.match != "exact" or not is_plain:
            details = invocation_details(self.options, session, message, registration, callee, disclose)
        elif session.trustlevel is not None:
            details = InvocationDetails(trustlevel=session.trustlevel)
        record = self.calls.open(session, message, registration, callee)
        record.is_disclosed = disclose
        if not is_plain and (options.progress or options.receive_progress):
            record.is_streaming = options.progress is True
            record.wants_progress = details.receive_progress is True
            record.details = details
        if self.options.max_call_timeout or (not is_plain and options.timeout):
            self.calls.start_timeout(record, options)
        invocation = Invocation(record.invocation_id, registration.id, details, message.args, message.kwargs)
        remote = callee.peer.remote
        if remote is None:
            self._outbox.append(Send((callee.peer.id,), invocation, session.payload_format))
        else:
            _start_remote(self.calls, remote, record, invocation, session.payload_format)
        return record

    def _answer(self, session: Session, message: Call) -> None:
        """Call one of the router's own procedures. Raises MessageSuspended if an authorizer must decide first."""
        try:
            self._router_procedures[message.procedure](session, message)
        except MessageSuspended:  # This CALL is handled again, and must not be ignored as a part of an ended stream.
            session.ended_streams.discard(message.request_id)
            raise

    def _choose(self, registration: Registration, message: Call, excluded: tuple[int, ...]) -> Callee:
        if len(registration.callees) == 1 and not excluded and message.options.runmode is None:
            (callee,) = registration.callees.values()
            if callee.can_accept_call:
                return callee
        return self._choose_among(registration, message, excluded)

    # End of the hot path.

    def on_error(self, session: Session, message: Error) -> None:
        """Handle ERROR from a callee: forward it to the caller, or try the next callee if this one is unavailable.

        If the error URI is invalid, send the caller an ERROR of the router instead, because an invalid URI could make
        the caller close its session.
        """
        record = self.calls.take_error(session, message)
        if record is None:
            return
        if not is_uri(message.error, loose=True):
            text = f"the callee answered with an invalid error URI {message.error!r}"
            self.calls.refuse(record.caller, record.request_id, errors.INVALID_URI, text)
            return
        is_final = message.error != errors.UNAVAILABLE or record.is_killed
        if is_final or not session.has("callee", "call_reroute"):
            self.calls.forward_error(record, message, session.payload_format)
        elif record.caller.remote is not None:
            self.calls.forward_error(record, message, session.payload_format, may_retry=True)
        else:
            self._reroute(record, errors.NO_AVAILABLE_CALLEE)

    def _reroute(self, record: CallRecord, failure: str, *, was_started: bool = True) -> None:
        """Send a call to another callee. The deadline of the call does not change.

        If there is no other callee, send the error ``failure`` to the caller. ``was_started`` is False if the callee
        has received nothing but the first CALL message, and has refused it.
        """
        caller = record.caller
        tried = (*record.tried, record.callee.peer.id)
        registration = record.registration
        if record.callee.peer.remote is not None and not registration.callees:
            # The callee was replaced by another one, whose registration can be a new record.
            registration = self._index.get(registration.match, registration.procedure) or registration
        try:
            if record.call.options.progress and was_started:
                # The CALL messages after the first one were not stored, so they cannot be sent to another callee.
                raise RequestRefused(errors.NO_AVAILABLE_CALLEE, "the callee of a progressive call is unavailable")
            is_plain = record.call.options == NO_OPTIONS
            again = self._invoke(caller, record.call, registration, record.is_disclosed, is_plain, tried)
            again.tried = tried
            if record.size:
                self.calls.count_size(again)
            self.calls.transfer_deadline(record, again)
        except RequestRefused as refused:
            uri = failure if refused.uri == errors.NO_AVAILABLE_CALLEE else refused.uri
            self.calls.refuse(caller, record.request_id, uri, str(refused))

    def on_register(self, session: Session, message: Register) -> None:
        """Handle REGISTER. All callees of a shared registration must request the same invocation policy."""
        remote = self._remote
        if remote is not None and session.pending is not None and remote.registrations.complete(session, message):
            return
        options = message.options
        match: Match = options.match or "exact"
        invoke = options.invoke or "single"
        procedure = message.procedure
        check_pattern(session, procedure, match)
        check_node_key(options)
        decision = self._roles[session.authrole].check(session, "register", procedure, options, match)
        if not decision.allowed or is_reserved(procedure):
            raise refusal(decision, "register", procedure)
        registration = self._index.get(match, procedure)
        is_callee = registration is not None and session.id in registration.callees
        if not is_callee and len(session.registrations) >= session.limits.registrations:
            raise session.limits.refusal("registrations")
        if remote is not None:
            remote.registrations.register(session, message)
            return
        if registration is not None and (options.force_reregister or not registration.has_active_callee):
            self._revoke_callees(registration)
            registration = None
        is_new = registration is None
        if registration is None:
            self._registry.check_room(match, procedure)
            registration = self._create(match, procedure, invoke)
        else:
            check_policy(registration, invoke)
        is_joining = session.id not in registration.callees
        if is_joining:
            add_callee(registration, Callee(session, next(self._numbers), options))
        self._outbox.append(Send((session.id,), Registered(message.request_id, registration.id), PYTHON))
        if is_new:
            self._announce("wamp.registration.on_create", procedure, session.id, describe(registration))
        if is_joining:
            self._announce("wamp.registration.on_register", procedure, session.id, registration.id)

    def on_unregister(self, session: Session, message: Unregister) -> None:
        """Handle UNREGISTER.

        Raises RequestRefused if the session does not have the registration. Open calls continue.
        """
        registration = session.registrations.get(message.registration_id)
        if registration is None:
            text = f"this session holds no registration {message.registration_id}"
            raise RequestRefused(errors.NO_SUCH_REGISTRATION, text)
        self._outbox.append(Send((session.id,), Unregistered(message.request_id), PYTHON))
        self.remove_callee(session, registration)

    def remove_callee(self, session: CallPeer, registration: Registration) -> None:
        """Remove a callee. Also remove the registration if no callee remains.

        The session can have left its realm already, because :meth:`Realm.run_cleanup` removes registrations later.
        """
        session.registrations.pop(registration.id, None)
        if registration.callees.pop(session.id, None) is None:
            return
        self._announce("wamp.registration.on_unregister", registration.procedure, session.id, registration.id)
        if not registration.callees:
            self._registry.remove(registration.id, registration.match, registration.procedure)
        if self._remote is not None:
            self._remote.registrations.on_removed(session.id, registration)
        elif not registration.callees:
            self._announce("wamp.registration.on_delete", registration.procedure, session.id, registration.id)

    def revoke(self, session: CallPeer, registration: Registration, reason: str) -> None:
        """Remove a callee on the router's initiative. Send UNREGISTERED if the client supports revocation."""
        send_unregistered(self._outbox, session, registration, reason)
        self.remove_callee(session, registration)

    def lookup(self, match: Match, procedure: str) -> Registration | None:
        """Return the registration of exactly this procedure or pattern, or None if there is none."""
        return self._index.get(match, procedure)

    def best_registration(self, procedure: str) -> Registration | None:
        """Return the registration that handles calls to this procedure, or None if there is none."""
        exact = self._index.exact.get(procedure)
        return exact if exact is not None and exact.has_active_callee else self._find_active_pattern(procedure)

    def on_undeliverable(self, session: Session, message: Invocation | Result | Error, fault: PayloadError) -> None:
        """End the call to which this message belongs, because the message could not be encoded for ``session``."""
        self.calls.on_undeliverable(session, message, fault)

    # --- helpers ---------------------------------------------------------------------------------------------------

    def _forward_part(self, session: Session, message: Call, record: CallRecord | None) -> bool:
        """Forward a further CALL of a progressive call to its callee. Return False if the CALL starts a new call.

        ``record`` is the open call with this request id, or None. If the call has already ended, ignore the CALL.
        """
        is_last = message.options.progress is not True
        if record is None:
            if message.request_id not in session.ended_streams:
                return False
            if is_last:
                session.ended_streams.discard(message.request_id)
            return True
        if not record.is_streaming:
            raise ProtocolViolation(f"CALL.request {message.request_id} is the id of a call that is still open")
        if message.procedure != record.call.procedure:
            text = f"CALL.procedure must be {record.call.procedure!r} in all parts of call {message.request_id}"
            raise ProtocolViolation(text)
        record.is_streaming = not is_last
        if is_last:
            session.ended_streams.discard(message.request_id)
        check_announced(session, "caller", message.options, "CALL")
        try:
            check_sizes(session, message.procedure, message, self._environment.is_deeper)
        except RequestRefused as refused:
            self.calls.abort(record, refused)
            return True
        details = part_details(record, message.options)
        invocation = Invocation(record.invocation_id, record.registration.id, details, message.args, message.kwargs)
        self.calls.send(record.callee.peer, invocation, session.payload_format)
        return True

    def _require_pattern(self, procedure: str) -> Registration:
        registration = self._find_active_pattern(procedure)
        if registration is None:
            raise RequestRefused(errors.NO_SUCH_PROCEDURE, f"no procedure {procedure!r} is registered")
        return registration

    def _find_active_pattern(self, procedure: str) -> Registration | None:
        """Return the best matching pattern registration with an active and permitted callee; None if there is none."""
        for registration in self._index.patterns(procedure):
            callees = registration.callees.values()
            if any(callee.is_active and self._is_permitted(callee, procedure) for callee in callees):
                return registration
        return None

    def _choose_among(self, registration: Registration, message: Call, excluded: tuple[int, ...]) -> Callee:
        options = message.options
        if options.runmode is None:
            callee = self._select(registration, self._environment.random_below, excluded)
        elif options.runmode == "partition" and options.rkey is not None:
            callee = self._select_by_key(registration, options.rkey, excluded)
        else:
            # The specification does not define how 'all' combines several results; its section says only "Write me".
            text = "'partition' needs an rkey" if options.runmode == "partition" else "'all' is not offered"
            raise RequestRefused(errors.FEATURE_NOT_SUPPORTED, f"CALL.options.runmode {text}")
        if callee is None:
            text = f"no callee of {registration.procedure!r} is available"
            raise RequestRefused(errors.NO_AVAILABLE_CALLEE, text)
        return callee

    def _is_permitted(self, callee: Callee, procedure: str) -> bool:
        """Return whether a callee may receive calls of this procedure.

        A callee that registered a pattern can lack the permission for some of the matching procedures.
        """
        role = self._roles.get(callee.peer.authrole)
        return role is not None and role.covers("register", procedure) and not is_reserved(procedure)

    def _create(self, match: Match, procedure: str, invoke: str) -> Registration:
        created = self._environment.timestamp()
        return self._registry.create(
            match, procedure, lambda new_id: Registration(new_id, procedure, match, invoke, created)
        )

    def _revoke_callees(self, registration: Registration) -> None:
        for callee in list(registration.callees.values()):
            self.revoke(callee.peer, registration, errors.UNREGISTERED)


def _start_remote(
    calls: Calls, remote: RemoteSender, record: CallRecord, invocation: Invocation, payload_format: str
) -> None:
    """Send a new call to a callee on another node. If this fails, end the call and raise RequestRefused."""
    try:
        remote.start_call(record, invocation, payload_format)
    except PayloadError as fault:
        calls.end(record)
        raise RequestRefused(fault.uri, str(fault)) from fault
