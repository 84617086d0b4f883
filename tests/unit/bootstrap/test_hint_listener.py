"""The listener for hints, on a loop whose clock the tests move, with a channel layer whose failures they decide."""

import asyncio
import gc
import logging
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.test import override_settings

from wamp_transport.bootstrap.hint_listener import ANSWER_SECONDS, CLOSE_SECONDS, QUIET_SECONDS, HintListener
from wamp_transport.bootstrap.hints import group_name, to_message
from wamp_transport.bootstrap.poll_timer import PollTimer
from wamp_transport.models.commits import CONFIGURATION, IDENTITY, change_committed
from wamp_transport.testing.loop import MemoryLoop

from .fake_layer import LAYERS, FakeLayer

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
NOTICED = QUIET_SECONDS * 1.5 + ANSWER_SECONDS
"""The maximum time until a node notices that messages are lost."""


class Timer(PollTimer):
    """A timer that counts how often it was woken."""

    def __init__(self) -> None:
        super().__init__(0.5)
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1


class Node:
    """A listener and its timers."""

    def __init__(self, loop: MemoryLoop) -> None:
        self.loop = loop
        self.configuration, self.identity = Timer(), Timer()
        self.listener = HintListener({CONFIGURATION: self.configuration, IDENTITY: self.identity})
        self.running: Future[None] = loop.run_on_loop(self.listener.run())

    @property
    def is_relaxed(self) -> bool:
        assert self.configuration.is_relaxed == self.identity.is_relaxed
        return self.configuration.is_relaxed

    def woken_by(self, message: Any) -> tuple[int, int]:
        """How often a message, or the kind of a change in this process, wakes the two timers."""
        before = self.configuration.wakes, self.identity.wakes
        if isinstance(message, str):
            change_committed.send_robust(sender=None, kind=message)
            self.loop.run_until_idle()
        else:
            self.loop.run_on_loop(layer().group_send(group_name(), message)).result()
            self.loop.run_until_idle()
        return self.configuration.wakes - before[0], self.identity.wakes - before[1]


def layer() -> FakeLayer:
    found = get_channel_layer()
    assert isinstance(found, FakeLayer)
    return found


@pytest.fixture
def loop() -> Iterator[MemoryLoop]:
    loop = MemoryLoop()
    with override_settings(CHANNEL_LAYERS=LAYERS):
        yield loop
    loop.advance(2 * CLOSE_SECONDS)  # tasks that a test has canceled must end before the loop is closed
    assert not asyncio.all_tasks(loop)
    loop.close()


@pytest.fixture
def node(loop: MemoryLoop) -> Iterator[Node]:
    node = Node(loop)
    yield node
    node.running.cancel()
    loop.advance(10)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_polling_is_slow_while_the_nodes_own_messages_arrive(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    assert node.is_relaxed
    assert (node.configuration.wakes, node.identity.wakes) == (1, 1)  # changes made before could have been missed
    node.loop.advance(60)
    assert node.is_relaxed
    assert (node.configuration.wakes, node.identity.wakes) == (1, 1)
    assert all(message == to_message(()) for message in layer().sent)
    assert warnings(caplog) == []


def test_hint_wakes_the_timer_of_its_kind(node: Node) -> None:
    assert node.woken_by(to_message([CONFIGURATION])) == (1, 0)
    assert node.woken_by(to_message([IDENTITY])) == (0, 1)
    assert node.woken_by(to_message([CONFIGURATION, IDENTITY])) == (1, 1)
    assert node.woken_by(to_message([])) == (0, 0)


@pytest.mark.parametrize(
    ("message", "woken"),
    [
        ({"type": "wamp.hint", "kinds": ["something new"]}, (1, 1)),
        ({"type": "wamp.hint", "kinds": ["configuration", 7, None, []], "more": 1}, (1, 0)),
        ({"type": "wamp.hint", "kinds": "configuration"}, (0, 0)),
        ({"type": "wamp.hint"}, (0, 0)),
        ({}, (0, 0)),
        ("text", (0, 0)),
    ],
)
def test_messages_of_other_releases_are_tolerated(node: Node, message: Any, woken: tuple[int, int]) -> None:
    if isinstance(message, str):
        message = [message]
    assert node.woken_by(message) == woken
    node.loop.advance(NOTICED)
    assert node.is_relaxed


def test_change_in_the_same_process_needs_no_layer(loop: MemoryLoop) -> None:
    for layers in ({}, IN_MEMORY):
        with override_settings(CHANNEL_LAYERS=layers):
            node = Node(loop)
            assert node.woken_by(CONFIGURATION) == (1, 0)
            assert node.woken_by(IDENTITY) == (0, 1)
            loop.advance(60)
            assert not node.is_relaxed
            node.running.cancel()
            assert node.woken_by(CONFIGURATION) == (0, 0)


def test_layer_is_not_used_if_hints_are_switched_off(loop: MemoryLoop) -> None:
    with override_settings(WAMP_TRANSPORT={"CHANGE_HINTS": False}):
        node = Node(loop)
        loop.advance(60)
        assert not node.is_relaxed
        assert layer().channels == {}
        node.running.cancel()


def test_failing_layer_ends_slow_polling_at_once(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    layer().fail(ConnectionError("Redis is away"))
    node.loop.run_until_idle()
    assert not node.is_relaxed
    assert (node.configuration.wakes, node.identity.wakes) == (2, 2)
    node.loop.advance(20)
    (warning,) = warnings(caplog)
    assert "ConnectionError: Redis is away" in warning
    layer().failure = None
    node.loop.advance(2)
    assert node.is_relaxed
    assert node.woken_by(to_message([CONFIGURATION])) == (1, 0)


def test_layer_that_fails_at_the_start_is_tried_again(loop: MemoryLoop, caplog: pytest.LogCaptureFixture) -> None:
    layer().failure = OSError()
    node = Node(loop)
    loop.advance(10)
    assert not node.is_relaxed
    assert len(warnings(caplog)) == 1
    layer().failure = None
    loop.advance(2)
    assert node.is_relaxed
    node.running.cancel()


def test_lost_messages_are_noticed(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    layer().is_silent = True
    node.loop.advance(NOTICED)
    assert not node.is_relaxed
    assert node.configuration.wakes == 2
    (warning,) = warnings(caplog)
    assert "no message arrived in time" in warning
    layer().is_silent = False
    node.loop.advance(NOTICED)
    assert node.is_relaxed
    (members,) = layer().groups.values()
    assert len(members) == 1  # the channels that were given up have left the group


def test_lost_membership_is_renewed(node: Node) -> None:
    layer().groups.clear()
    node.loop.advance(2 * NOTICED)
    assert node.is_relaxed
    assert node.woken_by(to_message([IDENTITY])) == (0, 1)


def test_one_of_many_nodes_sends_for_all(loop: MemoryLoop) -> None:
    nodes = [Node(loop) for _ in range(20)]
    loop.advance(1)
    before = len(layer().sent)
    loop.advance(60)
    assert len(layer().sent) - before < 1.5 * 60 / QUIET_SECONDS
    assert all(node.is_relaxed for node in nodes)
    for node in nodes:
        node.running.cancel()


def test_layer_that_does_not_let_go_does_not_block_the_stop(loop: MemoryLoop) -> None:
    node = Node(loop)
    layer().blocks_cancellation = True
    begun_at = loop.time()
    node.running.cancel()
    loop.drive(lambda: not layer().groups[group_name()])
    assert loop.time() - begun_at <= 2 * CLOSE_SECONDS
    loop.advance(1000)  # until the layer lets go


def test_layer_that_fails_long_after_the_stop_is_not_reported_by_asyncio(
    loop: MemoryLoop, caplog: pytest.LogCaptureFixture
) -> None:
    node = Node(loop)
    layer().blocks_cancellation = True
    node.running.cancel()
    loop.drive(lambda: not layer().groups[group_name()])
    layer().fail(ConnectionError("late"))
    loop.advance(1000)
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_invalid_layer_is_logged_and_does_no_harm(loop: MemoryLoop, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(CHANNEL_LAYERS={"default": {"BACKEND": "no.such.Layer"}}):
        node = Node(loop)
        loop.advance(10)
        (warning,) = warnings(caplog)
        assert "no.such.Layer" in warning
        assert node.woken_by(CONFIGURATION) == (1, 0)
        node.running.cancel()
