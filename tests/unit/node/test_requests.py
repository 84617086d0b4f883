import asyncio

import pytest

from wamp_transport.node.client_types import Result
from wamp_transport.node.inbox import DecodedMessage, Inbox
from wamp_transport.node.requests import REQUESTS_PER_TURN, Requests
from wamp_transport.wamp.errors import ApplicationError, SessionClosed
from wamp_transport.wamp.messages import (
    Call,
    CallOptions,
    Cancel,
    Error,
    ErrorDetails,
    ResultDetails,
    Subscribed,
)
from wamp_transport.wamp.messages import (
    Result as ResultMessage,
)


class World:
    def __init__(self, loop):
        self.loop = loop
        self.sent = []
        self.unwanted = []
        self.inbox = Inbox(loop, print, print, lambda: None)
        self.requests = Requests(loop, self.inbox, self.sent.append, self.unwanted.append)

    def run(self, work):
        return self.loop.run_until_complete(asyncio.wait_for(work, 10))

    def turn(self):
        self.run(asyncio.sleep(0))

    def ask(self, made_of=lambda answer: answer):
        task = self.loop.create_task(self.requests.ask(call, made_of))
        self.turn()
        return task

    def call(self, is_progressive=False):
        return self.run(self.requests.call(call, is_progressive=is_progressive))

    def result(self, request_id, *args, progress=None):
        message = ResultMessage(request_id, ResultDetails(progress=progress))
        self.requests.on_result(DecodedMessage(message, list(args)), message)


def call(request_id):
    return Call(request_id, CallOptions(), "com.x")


def granted(request_id):
    message = Subscribed(request_id, 7)
    return DecodedMessage(message), message


@pytest.fixture
def here(loop):
    return World(loop)


def test_ids_count_and_answers_find_who_asked(here):
    one, two = here.ask(), here.ask(lambda answer: answer.subscription_id)
    assert [message.request_id for message in here.sent] == [1, 2]
    here.requests.on_answer(*granted(2))
    here.requests.on_answer(*granted(3))
    assert here.run(two) == 7
    assert not one.done()
    here.requests.on_answer(*granted(1))
    here.run(one)
    assert len(here.requests) == 0


def test_error_is_raised(here):
    task = here.ask()
    message = Error(48, 1, ErrorDetails(), "com.error")
    here.requests.on_error(DecodedMessage(message, ["so"], {"k": 1}), message)
    here.requests.on_error(DecodedMessage(message), message)
    with pytest.raises(ApplicationError, match=r"com\.error: so, k=1"):
        here.run(task)


def test_what_is_granted_too_late_is_unwanted(here):
    task = here.ask(lambda answer: answer.subscription_id)
    task.cancel()
    here.turn()
    here.requests.on_answer(*granted(1))
    assert here.unwanted == [7]


def test_result_of_a_call(here):
    request = here.call()
    here.result(1, "part", progress=True)
    here.result(1, 5)
    here.result(1, 6)
    assert here.run(request.answer) == Result([5])
    here.requests.abandon(request)
    assert [type(message) for message in here.sent] == [Call]


def test_parts_of_a_result_then_the_result(here):
    request = here.call(is_progressive=True)
    here.result(1, 1, progress=True)
    here.result(1, 2)
    assert here.run(request.part()).value == 1
    assert here.run(request.part()) is None
    assert request.answer.result().value == 2


def test_abandoned_call_is_canceled(here):
    request = here.call()
    here.requests.abandon(request)
    here.requests.abandon(request)
    assert request.answer.cancelled()
    assert [type(message) for message in here.sent] == [Call, Cancel]
    assert here.sent[1].options.mode == "killnowait"


def test_call_fails_when_its_time_is_up(here):
    request = here.call()
    with here.requests.within(None, request), here.requests.within(2, request):
        here.loop.now += 3
        with pytest.raises(ApplicationError, match="within 2 seconds"):
            here.run(asyncio.shield(request.answer))
    assert isinstance(here.sent[1], Cancel)


def test_nothing_is_sent_while_the_router_takes_nothing(here):
    here.inbox.pause()
    task = here.ask()
    assert not here.sent
    here.inbox.resume()
    here.turn()
    assert len(here.sent) == 1
    here.requests.on_answer(*granted(1))
    here.run(task)


def test_turns_are_given_away_and_ids_stay_in_order(here):
    async def many():
        for _ in range(REQUESTS_PER_TURN):
            await here.requests.begin(call)

    here.run(asyncio.wait({here.loop.create_task(many()) for _ in range(3)}))
    assert [message.request_id for message in here.sent] == list(range(1, 3 * REQUESTS_PER_TURN + 1))


def test_end_fails_all_and_what_comes_after(here):
    task = here.ask()
    here.requests.end(SessionClosed("com.reason", ""))
    for work in (task, here.requests.turn()):
        with pytest.raises(SessionClosed, match=r"com\.reason"):
            here.run(work)
