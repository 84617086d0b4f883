import asyncio

import pytest

from wamp_transport.node.handler_runner import Event, HandlerRunner, Invocation, Result
from wamp_transport.wamp import errors
from wamp_transport.wamp.errors import ApplicationError
from wamp_transport.wamp.messages import Error, Yield

HELD = Event("com.x", [], {}, {})


@pytest.fixture
def answers():
    return []


@pytest.fixture
def runner(loop, answers):
    return HandlerRunner(loop, answers.append, lambda: None)


def invocation(*args, **details):
    async def send(message):
        raise AssertionError("no parts are sent")

    return Invocation(7, "com.x", list(args), {}, details, send)


def turn(loop, times=3):
    for _ in range(times):
        loop.call_soon(loop.stop)
        loop.run_forever()


def test_value_is_the_result(runner, answers):
    runner.handle_invocation(lambda call: call.args[0], invocation(5))
    assert [type(answer) for answer in answers] == [Yield]
    assert (answers[0].request_id, answers[0].args) == (7, [5])


def test_result_of_a_coroutine_comes_later(loop, runner, answers):
    async def later(call):
        return Result([], {"k": 1})

    runner.handle_invocation(later, invocation())
    assert not answers
    assert len(runner) == 1
    turn(loop)
    assert answers[0].kwargs == {"k": 1}
    assert len(runner) == 0


def test_exception_is_an_error(runner, answers):
    def fail(call):
        raise ApplicationError("com.error", 1, k=2)

    runner.handle_invocation(fail, invocation())
    assert isinstance(answers[0], Error)
    assert (answers[0].error, answers[0].args, answers[0].kwargs) == ("com.error", [1], {"k": 2})


def test_interrupted_call_is_answered_even_if_it_has_not_begun(loop, runner, answers):
    begun = []

    async def wait(call):
        begun.append(True)

    runner.handle_invocation(wait, invocation())
    runner.interrupt(7)
    runner.interrupt(8)
    turn(loop)
    assert not begun
    assert answers[0].error == errors.CANCELED


@pytest.mark.expects_errors("The handler of com.x failed")
def test_failing_subscriber_is_logged(loop, runner, caplog):
    async def fail(event):
        raise ZeroDivisionError

    runner.handle_event(fail, HELD)
    runner.handle_event(lambda event: 1 / 0, HELD)
    turn(loop)
    assert caplog.text.count("The handler of com.x failed") == 2


def test_stop_cancels_what_runs(loop, runner):
    async def forever(event):
        await asyncio.Event().wait()

    runner.handle_event(forever, HELD)
    runner.stop()
    turn(loop)
    assert len(runner) == 0
