"""Channel layers for tests of hints. They count as layers that reach other processes."""

import asyncio
import os
from collections import defaultdict
from pathlib import Path
from threading import Event
from typing import Any

from channels.layers import BaseChannelLayer

LAYERS = {"default": {"BACKEND": "tests.unit.bootstrap.fake_layer.FakeLayer"}}


class FakeLayer(BaseChannelLayer):
    """A layer on one event loop, whose failures a test decides."""

    def __init__(self) -> None:
        super().__init__()
        self.channels: dict[str, asyncio.Queue[Any]] = {}
        self.groups: defaultdict[str, set[str]] = defaultdict(set)
        self.sent: list[Any] = []
        self.failure: Exception | None = None
        self.is_silent = False
        """Whether messages are lost."""
        self.blocks_cancellation = False
        """Whether receive() goes on after it was canceled."""

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def fail(self, failure: Exception) -> None:
        """Let all operations fail, also those that wait for messages."""
        self.failure = failure
        for queue in self.channels.values():
            queue.put_nowait(failure)

    async def new_channel(self) -> str:
        self._check()
        channel = f"channel!{len(self.channels)}"
        self.channels[channel] = asyncio.Queue()
        return channel

    async def receive(self, channel: str) -> Any:
        self._check()
        try:
            message = await self.channels[channel].get()
        except asyncio.CancelledError:
            if self.blocks_cancellation:
                await asyncio.sleep(1000)
                self._check()
            raise
        if isinstance(message, Exception):
            raise message
        return message

    async def group_add(self, group: str, channel: str) -> None:
        self._check()
        self.require_valid_group_name(group)
        self.groups[group].add(channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self._check()
        self.groups[group].discard(channel)

    async def group_send(self, group: str, message: Any) -> None:
        self._check()
        self.sent.append(message)
        for channel in () if self.is_silent else self.groups[group]:
            self.channels[channel].put_nowait(message)


class BlockingLayer(BaseChannelLayer):
    """A layer that only sends, and whose sending a test can block."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []
        self.groups: set[str] = set()
        """The groups to which messages were sent."""
        self.failure: Exception | None = None
        self.has_begun = Event()
        self.may_end = Event()
        self.hangs = False

    async def group_send(self, group: str, message: Any) -> None:
        self.has_begun.set()
        self.may_end.wait(20)
        if self.failure is not None:
            raise self.failure
        if self.hangs:
            await asyncio.Event().wait()
        self.sent.append(message)
        self.groups.add(group)


class FileLayer(BaseChannelLayer):
    """A layer that looks up a host and then appends each message to the file ``HINTS``, after the process's id."""

    async def group_send(self, group: str, message: Any) -> None:
        await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        _append(f"{os.getpid()} {' '.join(message['kinds'])}\n")


def _append(line: str) -> None:
    with Path(os.environ["HINTS"]).open("a") as file:
        file.write(line)
