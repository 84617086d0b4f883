"""Remote procedure calls within one realm.

Sections of the specification: Basic Profile, "Remote Procedure Calls"; Advanced Profile, "Pattern-based
Registrations", "Caller Identification".
"""

from collections.abc import Mapping

from ..wamp import errors
from ..wamp.errors import PayloadError, ProtocolViolation, RequestRefused
from ..wamp.ids import stable_id
from ..wamp.messages import (
    CODES,
    Call,
    Error,
    ErrorDetails,
    Invocation,
    InvocationDetails,
    Register,
    Registered,
    Result,
    ResultDetails,
    Unregister,
    Unregistered,
    Yield,
)
from ..wamp.payload import PYTHON, positional
from ..wamp.uris import is_reserved, is_uri
from .calls import end_call, open_call, was_invoked
from .effects import Effect, Send
from .matching import PatternIndex
from .options import Match
from .permissions import Role, refusal
from .records import CallRecord, Registration, Session

CALL = CODES[Call]
INVOCATION = CODES[Invocation]
NO_DETAILS = InvocationDetails()
NO_RESULT_DETAILS = ResultDetails()


class Dealer:
    """The registrations of one realm, and the calls in flight."""

    def __init__(self, realm: str, roles: Mapping[str, Role], outbox: list[Effect]) -> None:
        self._realm = realm
        self._roles = roles
        self._outbox = outbox
        self._index: PatternIndex[Registration] = PatternIndex()
        self.registrations: dict[int, Registration] = {}

    # Hot path.

    def on_call(self, session: Session, message: Call) -> None:
        """CALL: an INVOCATION to the callee of the best registration, or an ERROR to the caller."""
        procedure = message.procedure
        options = message.options
        if options.progress:
            raise ProtocolViolation("CALL.options.progress: this router has not announced progressive_call_invocations")
        if message.request_id in session.calls:
            raise ProtocolViolation(f"CALL.request {message.request_id} is the id of a call that is still open")
        role = self._roles[session.authrole]
        decision = role.calls.get(procedure) or role.decide("call", procedure)
        if not decision.allowed:
            raise refusal(decision, "call", procedure)
        registration = self._index.best(procedure)
        if registration is None:
            raise RequestRefused(errors.NO_SUCH_PROCEDURE, f"no procedure {procedure!r} is registered")
        if registration.match != "exact" and not self._may_serve(registration, procedure):
            registration = self._next_best(procedure)
        callee = registration.callee
        call = open_call(session, message.request_id, callee)
        disclose = decision.disclose or registration.disclose_caller or options.disclose_me is True
        details = NO_DETAILS
        if disclose or registration.match != "exact" or options.enc_algo is not None:
            details = _details(session, message, registration, disclose)
        invocation = Invocation(call.invocation_id, registration.id, details, message.args, message.kwargs)
        self._outbox.append(Send((callee.id,), invocation, session.payload_format))

    def on_yield(self, session: Session, message: Yield) -> None:
        """YIELD: the RESULT to the caller. What comes after the call has ended is dropped."""
        call = session.invocations.get(message.request_id)
        options = message.options
        if call is None:
            self._check_invoked(session, message.request_id, "YIELD")
            return
        if options.progress:
            raise ProtocolViolation("YIELD.options.progress: this router has not announced progressive_call_results")
        end_call(call)
        details = NO_RESULT_DETAILS
        if options.enc_algo is not None:
            details = ResultDetails(
                enc_algo=options.enc_algo, enc_key=options.enc_key, enc_serializer=options.enc_serializer
            )
        result = Result(call.request_id, details, message.args, message.kwargs)
        self._outbox.append(Send((call.caller.id,), result, session.payload_format))

    # End of the hot path.

    def on_error(self, session: Session, message: Error) -> None:
        """ERROR from a callee: passed to the caller unchanged, unless its URI is none and would harm the caller."""
        if message.request_type != INVOCATION:
            raise ProtocolViolation(f"ERROR.request_type must be {INVOCATION}, not {message.request_type}")
        call = session.invocations.get(message.request_id)
        if call is None:
            self._check_invoked(session, message.request_id, "ERROR")
            return
        if not is_uri(message.error, loose=True):
            self.fail(call, errors.INVALID_URI, f"the callee answered with an invalid error URI {message.error!r}")
            return
        end_call(call)
        error = Error(CALL, call.request_id, message.details, message.error, message.args, message.kwargs)
        self._outbox.append(Send((call.caller.id,), error, session.payload_format))

    def on_register(self, session: Session, message: Register) -> None:
        """REGISTER: one callee a procedure and way of matching."""
        match: Match = message.options.match or "exact"
        procedure = message.procedure
        decision = self._roles[session.authrole].decide("register", procedure, match)
        if not decision.allowed or is_reserved(procedure):
            raise refusal(decision, "register", procedure)
        if self._index.get(match, procedure) is not None:
            text = f"{procedure!r} is already registered"
            raise RequestRefused(errors.PROCEDURE_ALREADY_EXISTS, text)
        disclose_caller = message.options.disclose_caller is True
        registration = Registration(self._new_id(match, procedure), procedure, match, session, disclose_caller)
        self._index.put(match, procedure, registration)
        self.registrations[registration.id] = registration
        session.registrations[registration.id] = registration
        self._outbox.append(Send((session.id,), Registered(message.request_id, registration.id), PYTHON))

    def on_unregister(self, session: Session, message: Unregister) -> None:
        """UNREGISTER: refused for a registration that the session does not hold. Open calls go on."""
        registration = session.registrations.pop(message.registration_id, None)
        if registration is None:
            text = f"this session holds no registration {message.registration_id}"
            raise RequestRefused(errors.NO_SUCH_REGISTRATION, text)
        self._remove(registration)
        self._outbox.append(Send((session.id,), Unregistered(message.request_id), PYTHON))

    def detach(self, session: Session) -> None:
        """The session leaves: its registrations end, its callers get an ERROR, results for it will be dropped."""
        for registration in session.registrations.values():
            self._remove(registration)
        session.registrations.clear()
        # Its own calls first: of a call to itself it is not told after its end.
        for call in list(session.calls.values()):
            end_call(call)
        for call in list(session.invocations.values()):
            self.fail(call, errors.CANCELED, "the callee has left")

    def fail(self, call: CallRecord, uri: str, text: str) -> None:
        """End a call with an ERROR from the router."""
        end_call(call)
        error = Error(CALL, call.request_id, ErrorDetails(), uri, positional(text))
        self._outbox.append(Send((call.caller.id,), error, PYTHON))

    def undeliverable(self, session: Session, message: Invocation | Result | Error, fault: PayloadError) -> None:
        """A message of a call could not be said to ``session``: the caller is told instead."""
        if isinstance(message, Invocation):
            call = session.invocations.get(message.request_id)
            if call is not None:
                self.fail(call, fault.uri, str(fault))
            return
        if isinstance(message, Error) and message.error == fault.uri:
            return  # It said so already: saying it again would never end.
        error = Error(CALL, message.request_id, ErrorDetails(), fault.uri, positional(str(fault)))
        self._outbox.append(Send((session.id,), error, PYTHON))

    def _remove(self, registration: Registration) -> None:
        self._index.remove(registration.match, registration.procedure)
        del self.registrations[registration.id]

    def _next_best(self, procedure: str) -> Registration:
        """The best pattern whose callee may serve: one that may not must not stand before others that may."""
        for registration in self._index.patterns(procedure):
            if self._may_serve(registration, procedure):
                return registration
        raise RequestRefused(errors.NO_SUCH_PROCEDURE, f"no procedure {procedure!r} is registered")

    def _may_serve(self, registration: Registration, procedure: str) -> bool:
        """A pattern may cover procedures that its callee's role may not register."""
        role = self._roles[registration.callee.authrole]
        return role.decide("register", procedure).allowed and not is_reserved(procedure)

    def _check_invoked(self, session: Session, invocation_id: int, name: str) -> None:
        if not was_invoked(session, invocation_id):
            raise ProtocolViolation(f"{name}.request {invocation_id} was never sent as an INVOCATION to this session")

    def _new_id(self, match: Match, procedure: str) -> int:
        salt = 0
        while (new := stable_id(self._realm, "registration", match, procedure, salt)) in self.registrations:
            salt += 1
        return new


def _details(session: Session, message: Call, registration: Registration, disclose: bool) -> InvocationDetails:
    options = message.options
    details = InvocationDetails(
        procedure=None if registration.match == "exact" else message.procedure,
        transaction_hash=options.transaction_hash,
        enc_algo=options.enc_algo,
        enc_key=options.enc_key,
        enc_serializer=options.enc_serializer,
    )
    if disclose:
        details.caller = session.id
        details.caller_authid = session.authid
        details.caller_authrole = session.authrole
    return details
