"""Handle calls in flight, from the invocation to the result, including progressive results, canceling and timeouts.

See the WAMP specification: Basic Profile, "Remote Procedure Calls"; Advanced Profile, "Progressive Call Results",
"Call Canceling", "Call Timeouts" and "Payload Passthru Mode".
"""

from ..wamp import errors
from ..wamp.errors import PayloadError, ProtocolViolation, RequestRefused
from ..wamp.ids import MAX_ID
from ..wamp.messages import (
    CODES,
    Call,
    CallOptions,
    Cancel,
    Error,
    ErrorDetails,
    Interrupt,
    InterruptOptions,
    Invocation,
    Result,
    ResultDetails,
    Yield,
    YieldOptions,
)
from ..wamp.payload import PYTHON, copy_passthru_attributes, positional, uses_passthru
from .effects import Effect, Send
from .environment import Environment
from .message_checks import CANCELING, check_announced, check_sizes
from .options import RealmOptions
from .records import REQUEST_KEY, Callee, CallPeer, CallRecord, Registration, Session
from .relayed import NO_RESULT_DETAILS

CALL = CODES[Call]
INVOCATION = CODES[Invocation]
YIELD = CODES[Yield]
NO_YIELD_OPTIONS = YieldOptions()
MAX_ENDED_STREAMS = 1000
"""Maximum number of progressive calls that are remembered per caller; see :meth:`Calls.remember_stream`."""


class Calls:
    """The calls in flight in one realm.

    Invariant: an open call is in ``calls`` of its caller and in ``invocations`` of its callee, and counted in
    ``in_flight`` of the callee. Only :meth:`open` and :meth:`end` change these.
    """

    def __init__(self, outbox: list[Effect], environment: Environment) -> None:
        self._outbox = outbox
        self._deadlines = environment.deadlines
        self._is_deeper = environment.is_deeper
        self.options = RealmOptions("")

    # Hot path.

    def open(self, caller: CallPeer, call: Call, registration: Registration, callee: Callee) -> CallRecord:
        """Create, store and return the record of a call.

        The invocation ids of each callee on this node are 1, 2, 3, ...
        """
        peer = callee.peer
        invocation_id = peer.last_invocation = peer.last_invocation % MAX_ID + 1
        record = CallRecord(caller, call.request_id, call, registration, callee, invocation_id)
        caller.calls[call.request_id ^ REQUEST_KEY] = record
        peer.invocations[invocation_id] = record
        callee.in_flight += 1
        return record

    def end(self, record: CallRecord) -> None:
        """Remove the record of a call from its caller and callee. Later messages about this call are ignored."""
        record.caller.calls.pop(record.request_id ^ REQUEST_KEY, None)
        record.callee.peer.invocations.pop(record.invocation_id, None)
        record.callee.in_flight -= 1
        if record.size:
            record.caller.calls_size -= record.size
        if record.deadline is not None:
            record.deadline.cancel()
        if record.is_streaming:
            self.remember_stream(record.caller, record.request_id)

    def on_yield(self, session: Session, message: Yield) -> None:
        """Handle YIELD: send RESULT to the caller, or an ERROR if the YIELD cannot be forwarded.

        Ignore the YIELD if the call has ended, and a progressive result if the caller did not request any. Raises
        ProtocolViolation if the YIELD answers no INVOCATION, or uses a feature that the callee did not announce.
        """
        options = message.options
        record = session.invocations.get(message.request_id)
        if record is None:
            self._check_invoked(session, message.request_id, "YIELD")
            return
        size = len(message.args) + len(message.kwargs)
        if size > session.limits.unchecked_size and self._is_oversized(session, record, message):
            return
        details = NO_RESULT_DETAILS
        if options == NO_YIELD_OPTIONS:
            self.end(record)
        else:
            if not self._can_forward(session, record, message):
                return
            details = copy_passthru_attributes(options, ResultDetails(progress=options.progress))
            if not options.progress:
                self.end(record)
        result = Result(record.request_id, details, message.args, message.kwargs)
        if record.caller.remote is None:
            self._outbox.append(Send((record.caller.id,), result, session.payload_format))
        else:
            self.send(record.caller, result, session.payload_format)

    # End of the hot path.

    def send(self, peer: CallPeer, message: Invocation | Interrupt | Result | Error, payload_format: str) -> None:
        """Send a message about a call to a caller or callee, on this node or another one."""
        remote = peer.remote
        if remote is None:
            self._outbox.append(Send((peer.id,), message, payload_format))
            return
        try:
            remote.send(message, payload_format)
        except PayloadError as fault:
            if not isinstance(message, Interrupt):
                self.on_undeliverable(peer, message, fault)

    def count_size(self, record: CallRecord) -> None:
        """Add the payload size of a call to the total size of its caller's calls. :meth:`end` subtracts it again.

        Do not call this for small calls; see :data:`.SMALL_BYTES`.
        """
        record.size = len(record.call.args) + len(record.call.kwargs)
        record.caller.calls_size += record.size

    def take_error(self, session: Session, message: Error) -> CallRecord | None:
        """End the call that a callee has answered with ERROR, and return its record.

        Return None if there is nothing to forward to the caller, because the call had already ended, or because the
        callee's ERROR exceeds a limit and the caller was sent another ERROR instead. Raises ProtocolViolation if the
        ERROR answers no INVOCATION, or uses a feature that the callee did not announce.
        """
        if message.request_type != INVOCATION:
            raise ProtocolViolation(f"ERROR.request_type must be {INVOCATION}, not {message.request_type}")
        record = session.invocations.get(message.request_id)
        if record is None:
            self._check_invoked(session, message.request_id, "ERROR")
            return None
        check_announced(session, "callee", message.details, "ERROR")
        if self._is_oversized(session, record, message, message.error):
            return None
        self.end(record)
        return record

    def forward_error(
        self, record: CallRecord, message: Error, payload_format: str, *, may_retry: bool = False
    ) -> None:
        """Send the callee's ERROR to the caller unchanged.

        If ``may_retry`` is true and the caller is on another node, that node may try another callee instead.
        """
        error = Error(CALL, record.request_id, message.details, message.error, message.args, message.kwargs)
        remote = record.caller.remote
        if remote is None or not may_retry:
            self.send(record.caller, error, payload_format)
            return
        try:
            remote.send_error(error, payload_format, may_retry=True)
        except PayloadError as fault:
            self.on_undeliverable(record.caller, error, fault)

    def fail(self, record: CallRecord, uri: str, text: str) -> None:
        """End a call, and send its caller an ERROR that the router itself creates."""
        self.end(record)
        self.refuse(record.caller, record.request_id, uri, text)

    def abort(self, record: CallRecord, refused: RequestRefused) -> None:
        """End a progressive call, because the router refuses one of its CALL messages.

        Interrupt the callee and send an ERROR to the caller.
        """
        self.interrupt(record, "killnowait", refused.uri)
        self.fail(record, refused.uri, str(refused))

    def refuse(self, caller: CallPeer, request_id: int, uri: str, text: str) -> None:
        """Send a caller an ERROR that the router itself creates."""
        error = Error(CALL, request_id, ErrorDetails(), uri, positional(text))
        self.send(caller, error, PYTHON)

    def on_cancel(self, session: Session, message: Cancel) -> None:
        """Handle CANCEL. Ignore it if the call is not open or was already canceled.

        The default mode is ``killnowait``. If the callee does not support interrupts, all modes act like ``skip``.
        """
        record = session.calls.get(message.request_id ^ REQUEST_KEY)
        if record is None or record.is_killed:
            return
        mode = message.options.mode or "killnowait"
        can_interrupt = record.callee.peer.has("callee", *CANCELING)
        if mode != "skip":
            self.interrupt(record, mode, errors.CANCELED)
        if mode == "kill" and can_interrupt:
            record.is_killed = True
        else:
            self.fail(record, errors.CANCELED, "the call was canceled")

    def remember_stream(self, caller: CallPeer, request_id: int) -> None:
        """Remember a progressive call, so that its later CALL messages are ignored once the call has ended.

        If the caller already has :data:`MAX_ENDED_STREAMS` such calls, forget another one.
        """
        ended = caller.ended_streams
        if len(ended) >= MAX_ENDED_STREAMS:
            ended.pop()
        ended.add(request_id)

    def start_timeout(self, record: CallRecord, options: CallOptions) -> None:
        """Set the deadline after which a call ends with ``wamp.error.timeout``, if the call or its realm has a timeout.

        A callee that announced call timeouts and registered with ``forward_timeout`` applies the caller's timeout
        itself. In this case, the router applies only the realm's ``max_call_timeout``.
        """
        callee = record.callee
        seconds = (options.timeout or 0) * (1.0 if self.options.timeouts_in_seconds else 0.001)
        if callee.forward_timeout and callee.peer.has("callee", "call_timeout"):
            seconds = 0.0
        longest = self.options.max_call_timeout
        if longest:
            seconds = min(seconds or longest, longest)
        if seconds:
            record.timeout = seconds
            record.deadline = self._deadlines.after(seconds, "call", record)

    def restart_timeout(self, record: CallRecord) -> None:
        """Restart the timeout of a call, because the callee has sent a progressive result."""
        if record.deadline is not None:
            record.deadline.cancel()
            record.deadline = self._deadlines.after(record.timeout, "call", record)

    def transfer_deadline(self, record: CallRecord, again: CallRecord) -> None:
        """Copy the deadline of ``record`` to ``again``, the record of the same call with another callee.

        The time limit of the call therefore stays the same.
        """
        if record.deadline is not None and again.deadline is not None:
            again.deadline.cancel()
            again.deadline = self._deadlines.at(record.deadline.time, "call", again)

    def on_timeout(self, record: CallRecord) -> None:
        """End a call that has timed out: interrupt the callee and send an ERROR to the caller."""
        if not record.is_killed:
            self.interrupt(record, "killnowait", errors.TIMEOUT)
        self.fail(record, errors.TIMEOUT, f"no answer within {record.timeout:g} seconds")

    def detach(self, session: Session) -> None:
        """End all calls of a leaving session, as a caller and as a callee.

        Interrupt the callees of the calls that it made, and send an ERROR to the callers of those that it received.
        """
        # First end the calls that the session made: a session that called itself must not get an ERROR after its end.
        for record in list(session.calls.values()):
            if not record.is_killed:
                self.interrupt(record, "killnowait", errors.CANCELED)
            self.end(record)
        for record in list(session.invocations.values()):
            self.fail(record, errors.CANCELED, "the callee has left")

    def on_undeliverable(self, session: CallPeer, message: Invocation | Result | Error, fault: PayloadError) -> None:
        """End a call with an ERROR to the caller, because ``message`` could not be encoded for ``session``."""
        if isinstance(message, Invocation):
            record = session.invocations.get(message.request_id)
            if record is not None:
                self.fail(record, fault.uri, str(fault))
            return
        if isinstance(message, Error) and message.error == fault.uri:
            return  # This ERROR already reports such a failure. Another one could fail in the same way, without end.
        record = session.calls.get(message.request_id ^ REQUEST_KEY)
        if record is not None:  # It was a progressive result, or the call would have ended already.
            self.end(record)
        self.refuse(session, message.request_id, fault.uri, str(fault))

    def _can_forward(self, session: Session, record: CallRecord, message: Yield) -> bool:
        """Check the options of a YIELD message, and return whether to forward the message to the caller.

        Drop a progressive result if the caller did not request progressive results; otherwise, restart the timeout of
        the call. If the payload is in passthru mode and the caller does not support this mode, send an ERROR to the
        caller and to the callee, and end the call. Raises ProtocolViolation if the callee uses a feature that it did
        not announce.
        """
        options = message.options
        check_announced(session, "callee", options, "YIELD")
        if uses_passthru(options) and not record.caller.has("caller", "payload_passthru_mode"):
            error = Error(YIELD, message.request_id, ErrorDetails(), errors.FEATURE_NOT_SUPPORTED)
            error.args = positional("the caller does not support payload_passthru_mode")
            self._outbox.append(Send((session.id,), error, PYTHON))
            self.fail(record, errors.FEATURE_NOT_SUPPORTED, "the result came in payload_passthru_mode")
            return False
        if not options.progress:
            return True
        if self.options.strict_progress and not session.has("callee", "progressive_call_results"):
            raise ProtocolViolation("YIELD.options.progress without the feature progressive_call_results announced")
        if not record.wants_progress:
            return False
        self.restart_timeout(record)
        return True

    def _is_oversized(self, callee: Session, record: CallRecord, message: Yield | Error, uri: str = "") -> bool:
        """Return whether a YIELD or ERROR exceeds the limits of the callee. If it does, end the call with an ERROR."""
        try:
            check_sizes(callee, uri, message, self._is_deeper)
        except RequestRefused as refused:
            if type(message) is Yield and message.options.progress:
                self.interrupt(record, "killnowait", refused.uri)
            self.fail(record, refused.uri, f"the callee answered with {refused}")
            return True
        return False

    def interrupt(self, record: CallRecord, mode: str, reason: str) -> None:
        """Send INTERRUPT to the callee if it announced call canceling."""
        if not record.callee.peer.has("callee", *CANCELING):
            return
        options = InterruptOptions(mode=mode, reason=reason)  # type: ignore[arg-type]
        self.send(record.callee.peer, Interrupt(record.invocation_id, options), PYTHON)

    def _check_invoked(self, session: Session, invocation_id: int, name: str) -> None:
        """Check that an INVOCATION with this id was sent to the session. Raises ProtocolViolation.

        ``name`` is the type of the callee's message, YIELD or ERROR. Both are valid even after the call has ended.
        """
        if invocation_id > session.last_invocation:
            raise ProtocolViolation(f"{name}.request {invocation_id} was never sent as an INVOCATION to this session")
