import pytest

from wamp_transport.router import calls as calls_module
from wamp_transport.router.calls import Calls
from wamp_transport.router.effects import Send
from wamp_transport.router.options import RealmOptions
from wamp_transport.router.records import REQUEST_KEY, Callee, Registration
from wamp_transport.wamp.errors import PayloadError, ProtocolViolation
from wamp_transport.wamp.ids import MAX_ID
from wamp_transport.wamp.messages import (
    Call,
    CallOptions,
    Cancel,
    CancelOptions,
    Error,
    ErrorDetails,
    Interrupt,
    InterruptOptions,
    Invocation,
    InvocationDetails,
    RegisterOptions,
    Result,
    ResultDetails,
    Yield,
    YieldOptions,
)


@pytest.fixture
def calls(outbox, environment):
    return Calls(outbox, environment)


@pytest.fixture
def registration():
    return Registration(1, "com.x", "exact", "single", "")


@pytest.fixture
def open_call(calls, registration):
    """Opens a call: request id, caller, and the session of its callee."""

    def open_call(caller, request_id, session, **options):
        callee = Callee(session, 1, RegisterOptions(forward_timeout=True))
        record = calls.open(caller, Call(request_id, CallOptions(**options), "com.x"), registration, callee)
        record.wants_progress = options.get("receive_progress", False)
        record.is_streaming = options.get("progress", False)
        return record

    return open_call


@pytest.fixture
def caller(new_session):
    return new_session(caller=["progressive_call_results"])


@pytest.fixture
def callee(new_session):
    """A callee with all features."""
    return new_session(callee=["call_canceling", "progressive_call_results", "payload_passthru_mode"])


@pytest.fixture
def simple(new_session):
    """A callee without features."""
    return new_session()


def error(uri, text, request_id=7):
    return Error(48, request_id, ErrorDetails(), uri, [text])


def interrupt(mode, reason, invocation_id=1):
    return Interrupt(invocation_id, InterruptOptions(mode=mode, reason=reason))


def sent(outbox):
    taken = [(*each.recipients, each.message) for each in outbox]
    outbox.clear()
    return taken


class Colliding(int):
    """A request id that collides with all others, and counts how often it is compared."""

    compared = 0

    def __hash__(self):
        return 1

    def __eq__(self, other):
        Colliding.compared += 1
        return int(self) == other


def test_calls_whose_ids_are_made_to_collide_take_linear_time(calls, open_call, caller, callee):
    Colliding.compared = 0
    records = [open_call(caller, Colliding(number + 1), callee) for number in range(500)]
    for record in records:
        calls.on_cancel(caller, Cancel(Colliding(record.request_id), CancelOptions(mode="skip")))
    assert not caller.calls
    assert not Colliding.compared


class TestOpening:
    def test_call_is_known_at_both_ends(self, open_call, caller, callee):
        record = open_call(caller, 7, callee)
        assert caller.calls == {7 ^ REQUEST_KEY: record}
        assert callee.invocations == {1: record}
        assert record.callee.in_flight == 1

    def test_invocation_ids_count_per_callee(self, open_call, caller, callee, simple):
        assert [open_call(caller, number, callee).invocation_id for number in (5, 6)] == [1, 2]
        assert open_call(caller, 7, simple).invocation_id == 1

    def test_invocation_ids_begin_again_after_the_last(self, open_call, caller, callee):
        callee.last_invocation = MAX_ID - 1
        assert [open_call(caller, number, callee).invocation_id for number in (1, 2)] == [MAX_ID, 1]


class TestEnding:
    def test_ended_call_is_forgotten_at_both_ends(self, calls, open_call, caller, callee, environment):
        record = open_call(caller, 7, callee)
        calls.start_timeout(record, CallOptions(timeout=1000))
        calls.end(record)
        assert not caller.calls
        assert not callee.invocations
        assert record.callee.in_flight == 0
        assert environment.deadlines.next() is None

    def test_ended_stream_is_remembered_for_parts_under_way(self, calls, open_call, caller, callee):
        calls.end(open_call(caller, 7, callee, progress=True))
        calls.end(open_call(caller, 8, callee))
        assert caller.ended_streams == {7}

    def test_ended_streams_are_not_remembered_without_limit(self, calls, open_call, caller, callee, monkeypatch):
        monkeypatch.setattr(calls_module, "MAX_ENDED_STREAMS", 2)
        for request_id in (1, 2, 3):
            calls.end(open_call(caller, request_id, callee, progress=True))
        assert len(caller.ended_streams) == 2
        assert 3 in caller.ended_streams


class TestYield:
    def test_result_reaches_the_caller(self, calls, open_call, caller, simple, outbox):
        open_call(caller, 7, simple)
        calls.on_yield(simple, Yield(1, YieldOptions(), b"[1]", b"{}"))
        assert outbox == [Send((caller.id,), Result(7, ResultDetails(), b"[1]", b"{}"), "json")]
        assert not caller.calls

    def test_late_result_is_dropped(self, calls, open_call, caller, simple, outbox):
        calls.end(open_call(caller, 7, simple))
        calls.on_yield(simple, Yield(1, YieldOptions()))
        assert outbox == []

    def test_result_of_an_invocation_that_was_never_sent_is_a_violation(self, calls, simple):
        with pytest.raises(ProtocolViolation, match="YIELD"):
            calls.on_yield(simple, Yield(1, YieldOptions()))

    def test_progress_leaves_the_call_open(self, calls, open_call, caller, callee, outbox):
        open_call(caller, 7, callee, receive_progress=True)
        calls.on_yield(callee, Yield(1, YieldOptions(progress=True), b"[1]"))
        assert sent(outbox) == [(caller.id, Result(7, ResultDetails(progress=True), b"[1]"))]
        assert 7 ^ REQUEST_KEY in caller.calls

    def test_unrequested_progress_is_dropped(self, calls, open_call, caller, callee, outbox):
        open_call(caller, 7, callee)
        calls.on_yield(callee, Yield(1, YieldOptions(progress=True)))
        assert outbox == []
        assert 7 ^ REQUEST_KEY in caller.calls

    def test_progress_without_the_feature_is_a_violation_if_strict(self, calls, open_call, caller, simple):
        calls.options = RealmOptions("realm1", strict_progress=True)
        open_call(caller, 7, simple, receive_progress=True)
        with pytest.raises(ProtocolViolation, match="progressive_call_results"):
            calls.on_yield(simple, Yield(1, YieldOptions(progress=True)))

    def test_progress_restarts_the_clock(self, calls, open_call, caller, callee, environment, world):
        calls.start_timeout(open_call(caller, 7, callee, receive_progress=True), CallOptions(timeout=2000))
        world.now = 1.5
        calls.on_yield(callee, Yield(1, YieldOptions(progress=True)))
        assert environment.deadlines.next() == 3.5

    def test_encryption_is_passed_on(self, calls, open_call, caller, simple, outbox):
        open_call(caller, 7, simple)
        calls.on_yield(simple, Yield(1, YieldOptions(enc_algo="mqtt", enc_key="k")))
        assert sent(outbox) == [(caller.id, Result(7, ResultDetails(enc_algo="mqtt", enc_key="k")))]

    def test_passthru_reaches_a_caller_that_knows_it(self, calls, open_call, callee, new_session, outbox):
        caller = new_session(caller=["payload_passthru_mode"])
        open_call(caller, 7, callee)
        calls.on_yield(callee, Yield(1, YieldOptions(ppt_scheme="x_a")))
        assert sent(outbox) == [(caller.id, Result(7, ResultDetails(ppt_scheme="x_a")))]

    def test_passthru_to_a_caller_that_does_not_know_it_fails_both(self, calls, open_call, caller, callee, outbox):
        open_call(caller, 7, callee)
        calls.on_yield(callee, Yield(1, YieldOptions(ppt_scheme="x_a")))
        (to_callee, first), (to_caller, second) = sent(outbox)
        assert (to_callee, to_caller) == (callee.id, caller.id)
        assert (first.request_type, first.request_id) == (70, 1)
        assert (second.request_type, second.request_id) == (48, 7)
        assert first.error == second.error == "wamp.error.feature_not_supported"
        assert not caller.calls


class TestErrors:
    def test_error_ends_the_call_it_answers(self, calls, open_call, caller, simple):
        record = open_call(caller, 7, simple)
        assert calls.take_error(simple, Error(68, 1, ErrorDetails(), "com.error")) is record
        assert not caller.calls

    def test_late_error_is_dropped(self, calls, open_call, caller, simple):
        calls.end(open_call(caller, 7, simple))
        assert calls.take_error(simple, Error(68, 1, ErrorDetails(), "com.error")) is None

    @pytest.mark.parametrize(
        ("message", "text"),
        [
            (Error(48, 1, ErrorDetails(), "com.error"), "request_type"),
            (Error(68, 2, ErrorDetails(), "com.error"), "never sent"),
            (Error(68, 1, ErrorDetails(ppt_scheme="x_a"), "com.error"), "ppt_scheme"),
        ],
    )
    def test_error_that_fits_nothing_is_a_violation(self, calls, open_call, caller, simple, message, text):
        open_call(caller, 7, simple)
        with pytest.raises(ProtocolViolation, match=text):
            calls.take_error(simple, message)

    def test_error_is_passed_on_unchanged(self, calls, open_call, caller, simple, outbox):
        record = open_call(caller, 7, simple)
        calls.forward_error(record, Error(68, 1, ErrorDetails(enc_key="k"), "com.error", b"[1]", b"{}"), "cbor")
        expected = Error(48, 7, ErrorDetails(enc_key="k"), "com.error", b"[1]", b"{}")
        assert outbox == [Send((caller.id,), expected, "cbor")]

    def test_failed_call_is_over(self, calls, open_call, caller, simple, outbox):
        calls.fail(open_call(caller, 7, simple), "com.error", "text")
        assert sent(outbox) == [(caller.id, error("com.error", "text"))]
        assert not caller.calls


class TestCancel:
    @staticmethod
    def cancel(calls, session, mode=None, request_id=7):
        calls.on_cancel(session, Cancel(request_id, CancelOptions(mode=mode)))

    def test_call_that_is_not_open_is_ignored(self, calls, caller, outbox):
        self.cancel(calls, caller)
        assert outbox == []

    @pytest.mark.parametrize("mode", [None, "killnowait"])
    def test_killnowait_interrupts_and_answers_immediately(self, calls, open_call, caller, callee, outbox, mode):
        open_call(caller, 7, callee)
        self.cancel(calls, caller, mode)
        assert sent(outbox) == [
            (callee.id, interrupt("killnowait", "wamp.error.canceled")),
            (caller.id, error("wamp.error.canceled", "the call was canceled")),
        ]
        assert not callee.invocations

    def test_skip_sends_the_callee_nothing(self, calls, open_call, caller, callee, outbox):
        open_call(caller, 7, callee)
        self.cancel(calls, caller, "skip")
        assert sent(outbox) == [(caller.id, error("wamp.error.canceled", "the call was canceled"))]

    def test_kill_waits_for_the_callee(self, calls, open_call, caller, callee, outbox):
        record = open_call(caller, 7, callee)
        self.cancel(calls, caller, "kill")
        assert sent(outbox) == [(callee.id, interrupt("kill", "wamp.error.canceled"))]
        assert record.is_killed
        assert caller.calls == {7 ^ REQUEST_KEY: record}
        self.cancel(calls, caller, "skip")
        assert outbox == []

    @pytest.mark.parametrize("mode", [None, "skip", "kill", "killnowait"])
    def test_callee_that_cannot_be_interrupted_is_skipped(self, calls, open_call, caller, simple, outbox, mode):
        open_call(caller, 7, simple)
        self.cancel(calls, caller, mode)
        assert sent(outbox) == [(caller.id, error("wamp.error.canceled", "the call was canceled"))]


class TestTime:
    @pytest.mark.parametrize(
        ("realm", "timeout", "seconds"),
        [
            ({}, None, None),
            ({}, 0, None),
            ({}, 1500, 1.5),
            ({"timeouts_in_seconds": True}, 15, 15.0),
            ({"max_call_timeout": 30.0}, None, 30.0),
            ({"max_call_timeout": 30.0}, 60_000, 30.0),
            ({"max_call_timeout": 30.0}, 10_000, 10.0),
        ],
    )
    def test_timeout_is_that_of_call_and_realm(
        self, calls, open_call, caller, callee, environment, realm, timeout, seconds
    ):
        calls.options = RealmOptions("realm1", **realm)
        record = open_call(caller, 7, callee)
        calls.start_timeout(record, CallOptions(timeout=timeout))
        assert environment.deadlines.next() == seconds

    def test_callee_that_keeps_the_time_itself_is_left_to_it(self, calls, open_call, caller, new_session, environment):
        record = open_call(caller, 7, new_session(callee=["call_timeout"]))
        calls.start_timeout(record, CallOptions(timeout=1500))
        assert environment.deadlines.next() is None
        calls.options = RealmOptions("realm1", max_call_timeout=30.0)
        calls.start_timeout(record, CallOptions(timeout=1500))
        assert environment.deadlines.next() == 30.0

    def test_call_that_goes_on_is_due_when_it_was(self, calls, open_call, caller, simple, environment, world):
        first = open_call(caller, 7, simple)
        calls.start_timeout(first, CallOptions(timeout=1500))
        world.now = 1.0
        again = open_call(caller, 7, simple)
        calls.start_timeout(again, CallOptions(timeout=1500))
        calls.transfer_deadline(first, again)
        calls.end(first)
        assert environment.deadlines.next() == 1.5
        calls.transfer_deadline(open_call(caller, 8, simple), again)
        assert again.deadline.time == 1.5

    def test_due_call_is_interrupted_and_answered(self, calls, open_call, caller, callee, outbox):
        record = open_call(caller, 7, callee)
        calls.start_timeout(record, CallOptions(timeout=1500))
        calls.on_timeout(record)
        assert sent(outbox) == [
            (callee.id, interrupt("killnowait", "wamp.error.timeout")),
            (caller.id, error("wamp.error.timeout", "no answer within 1.5 seconds")),
        ]

    def test_due_call_of_a_callee_that_cannot_be_interrupted_is_answered(
        self, calls, open_call, caller, simple, outbox
    ):
        record = open_call(caller, 7, simple)
        calls.start_timeout(record, CallOptions(timeout=1500))
        calls.on_timeout(record)
        assert [to for to, _ in sent(outbox)] == [caller.id]


class TestLeaving:
    def test_callee_that_leaves_fails_its_calls(self, calls, open_call, caller, callee, outbox):
        open_call(caller, 7, callee)
        calls.detach(callee)
        assert sent(outbox) == [(caller.id, error("wamp.error.canceled", "the callee has left"))]
        assert not caller.calls

    def test_caller_that_leaves_has_its_calls_interrupted(self, calls, open_call, caller, callee, simple, outbox):
        open_call(caller, 7, callee)
        open_call(caller, 8, simple)
        calls.detach(caller)
        assert sent(outbox) == [(callee.id, interrupt("killnowait", "wamp.error.canceled"))]
        assert not callee.invocations
        assert not simple.invocations

    def test_killed_call_is_not_interrupted_again(self, calls, open_call, caller, callee, outbox):
        open_call(caller, 7, callee)
        calls.on_cancel(caller, Cancel(7, CancelOptions(mode="kill")))
        outbox.clear()
        calls.detach(caller)
        assert outbox == []

    def test_session_that_calls_itself_and_leaves_gets_no_error(self, calls, open_call, simple, outbox):
        open_call(simple, 7, simple)
        calls.detach(simple)
        assert outbox == []
        assert not simple.calls
        assert not simple.invocations


class TestUndeliverable:
    FAULT = PayloadError("no words")
    TOLD = error("wamp.error.invalid_payload", "no words")

    def test_invocation_fails_the_call(self, calls, open_call, caller, simple, outbox):
        open_call(caller, 7, simple)
        for _ in range(2):
            calls.on_undeliverable(simple, Invocation(1, 5, InvocationDetails()), self.FAULT)
        assert sent(outbox) == [(caller.id, self.TOLD)]

    @pytest.mark.parametrize("message", [Result(7, ResultDetails()), Error(48, 7, ErrorDetails(), "com.error")])
    def test_answer_becomes_an_error(self, calls, caller, outbox, message):
        calls.on_undeliverable(caller, message, self.FAULT)
        assert sent(outbox) == [(caller.id, self.TOLD)]

    def test_progressive_result_ends_the_call(self, calls, open_call, caller, callee, outbox):
        open_call(caller, 7, callee, receive_progress=True)
        calls.on_undeliverable(caller, Result(7, ResultDetails(progress=True)), self.FAULT)
        assert sent(outbox) == [(caller.id, self.TOLD)]
        assert not callee.invocations

    def test_error_about_an_undeliverable_message_is_not_repeated(self, calls, caller, outbox):
        calls.on_undeliverable(caller, self.TOLD, self.FAULT)
        assert outbox == []
