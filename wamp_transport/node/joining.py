"""The steps in which a node joins or rejoins a cluster.

The other nodes, the *peers*, send *snapshots*, which list the topics and patterns whose events they want. *Retained
events* are the last events of topics, which are sent to new subscribers. Every node stores all of them, so a node that
joins asks a peer for them. They arrive in pages.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ..router.relayed import RelayedRetained, WantRetained
from .membership import Membership

SNAPSHOT_SECONDS: Final = 3.0
"""The maximum time for which a node that joins waits for the snapshots of its peers."""

RETAINED_SECONDS: Final = 3.0
"""The maximum time for which a node that joins waits for the retained events."""


class Joining:
    """The steps of joining that wait for other nodes.

    Call :meth:`wake` after each event of the link and each change of the membership.
    """

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._source = ""
        """The id of the peer that was asked for its retained events and has not sent the last page; empty if none."""
        self._event_count = 0

    def wake(self) -> None:
        """Make the current step check whether it is done."""
        self._changed.set()

    async def wait_for_snapshots(self, membership: Membership) -> None:
        """Wait until all peers that are not silent have sent their snapshots.

        Stop waiting after :data:`SNAPSHOT_SECONDS`, or when the membership ends.
        """

        def is_done() -> bool:
            peers = membership.link.peers.values()
            waited = (one for one in peers if one.is_member and not one.is_silent)
            return membership.is_closed or all(one.state == "open" for one in waited)

        with suppress(TimeoutError):
            async with asyncio.timeout(SNAPSHOT_SECONDS):
                await self._wait(is_done)

    async def fetch_retained(self, membership: Membership) -> None:
        """Ask a peer for its retained events and wait for them, up to :data:`RETAINED_SECONDS`.

        If the peer leaves, becomes silent or has no retained events, ask the next one. A peer that has just joined can
        have none although the others have some.
        """
        asked: set[str] = set()
        with suppress(TimeoutError):
            async with asyncio.timeout(RETAINED_SECONDS):
                while (source := _choose_source(membership, asked)) and not await self._fetch_from(membership, source):
                    asked.add(source)

    def on_retained(self, peer: str, page: RelayedRetained) -> None:
        """Handle a page of retained events."""
        if peer == self._source:
            self._event_count += len(page.events)
            if page.is_last:
                self._source = ""

    def on_peer_lost(self, peer: str) -> None:
        """Stop waiting for a peer: it has left, it is silent, or some of its messages were lost."""
        if peer == self._source:
            self._source, self._event_count = "", 0

    async def _fetch_from(self, membership: Membership, source: str) -> bool:
        """Ask one peer. Return False if it has no retained events, or has not sent all of them."""
        self._event_count = 0
        if not membership.link.send(source, WantRetained()):
            return False
        self._source = source
        membership.flush_soon()
        await self._wait(lambda: not self._source or membership.is_closed)
        return self._event_count > 0

    async def _wait(self, is_done: Callable[[], bool]) -> None:
        while not is_done():
            self._changed.clear()
            await self._changed.wait()


def _choose_source(membership: Membership, asked: set[str]) -> str:
    """Return the id of a peer that has not been asked yet, or an empty string if there is none."""
    if membership.is_closed:
        return ""
    peers = membership.link.peers.values()
    return next((one.id for one in peers if one.state == "open" and not one.is_silent and one.id not in asked), "")
