"""The sender of hints: it never delays or fails a change, in any kind of process."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from channels.layers import get_channel_layer
from django.test import override_settings

from wamp_transport.bootstrap import hint_sender
from wamp_transport.bootstrap.hint_sender import HintSender
from wamp_transport.models.commits import CONFIGURATION, IDENTITY

from .fake_layer import BlockingLayer

ROOT = Path(__file__).parents[3]
BLOCKING = {"default": {"BACKEND": "tests.unit.bootstrap.fake_layer.BlockingLayer"}}


@pytest.fixture
def sender() -> Iterator[HintSender]:
    hint_sender.sender.finish(20)  # changes of other tests
    sender = HintSender()
    yield sender
    sender.finish(20)
    assert sender._thread is None


@pytest.fixture
def layer(sender: HintSender) -> Iterator[BlockingLayer]:
    with override_settings(CHANNEL_LAYERS=BLOCKING):
        layer = get_channel_layer()
        assert isinstance(layer, BlockingLayer)
        yield layer
        layer.may_end.set()
        sender.finish(20)


def kinds(layer: BlockingLayer) -> list[list[str]]:
    return [message["kinds"] for message in layer.sent]


def test_changes_made_while_a_hint_is_sent_share_the_next_one(sender: HintSender, layer: BlockingLayer) -> None:
    sender.send(CONFIGURATION)
    assert layer.has_begun.wait(20)
    for _ in range(100):
        sender.send(IDENTITY)
        sender.send(CONFIGURATION)
    layer.may_end.set()
    sender.finish(20)
    assert kinds(layer) == [["configuration"], ["configuration", "identity"]]
    sender.send(IDENTITY)
    sender.finish(20)
    assert kinds(layer)[2:] == [["identity"]]


def test_hint_can_be_sent_in_a_coroutine_and_in_threads(sender: HintSender, layer: BlockingLayer) -> None:
    layer.may_end.set()

    async def change() -> None:
        sender.send(CONFIGURATION)

    asyncio.run(change())
    threads = [threading.Thread(target=sender.send, args=[IDENTITY]) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.finish(20)
    assert {kind for one in kinds(layer) for kind in one} == {CONFIGURATION, IDENTITY}


def test_failure_is_logged_once_and_the_next_hint_is_sent(
    sender: HintSender, layer: BlockingLayer, caplog: pytest.LogCaptureFixture
) -> None:
    layer.may_end.set()
    layer.failure = ConnectionError("Redis is away")
    for _ in range(2):
        sender.send(CONFIGURATION)
        sender.finish(20)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "ConnectionError: Redis is away" in record.getMessage()
    layer.failure = None
    sender.send(CONFIGURATION)
    sender.finish(20)
    assert kinds(layer) == [["configuration"]]


def test_layer_that_does_not_answer_is_given_up(
    sender: HintSender, layer: BlockingLayer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hint_sender, "SEND_SECONDS", 0.01)
    layer.may_end.set()
    layer.hangs = True
    sender.send(CONFIGURATION)
    sender.finish(20)
    assert "TimeoutError" in caplog.text


@pytest.mark.parametrize(
    "settings",
    [
        {"CHANNEL_LAYERS": {}},
        {"CHANNEL_LAYERS": BLOCKING, "WAMP_TRANSPORT": {"CHANGE_HINTS": False}},
        {"CHANNEL_LAYERS": {"other": BLOCKING["default"]}},
    ],
)
def test_no_thread_starts_without_a_layer_for_hints(sender: HintSender, settings: dict[str, object]) -> None:
    with override_settings(**settings):
        sender.send(CONFIGURATION)
        assert sender._thread is None


def test_layer_in_memory_is_not_used(sender: HintSender, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}):
        sender.send(CONFIGURATION)
        sender.finish(20)
        layer = get_channel_layer()
        assert layer is not None
        assert (layer.channels, caplog.records) == ({}, [])


COMMAND = """
import os
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x",
    CHANNEL_LAYERS={"default": {"BACKEND": "tests.unit.bootstrap.fake_layer.FileLayer"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "wamp_transport"],
)
django.setup()
from wamp_transport.bootstrap import hint_sender
from wamp_transport.models.commits import change_committed

hint_sender.sender._lock.acquire()  # as if another thread held it at the moment of the fork
child = os.fork()
if child:
    hint_sender.sender._lock.release()
    os.waitpid(child, 0)
print(os.getpid(), flush=True)
change_committed.send_robust(sender=None, kind="configuration")
"""


def test_hint_of_a_command_that_ends_at_once_is_sent_also_after_a_fork(tmp_path: Path) -> None:
    file = tmp_path / "hints"
    done = subprocess.run(
        [sys.executable, "-c", COMMAND],
        cwd=ROOT,
        env={**os.environ, "HINTS": str(file)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert file.read_text().split("\n") == [*(f"{pid} configuration" for pid in done.stdout.split()), ""]
    assert len(done.stdout.split()) == 2
    assert done.stderr == ""
