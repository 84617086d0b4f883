"""Keep track of which of this node's announcements the other nodes know.

A node announces to the others, its *peers*, which events it wants. Announcements have numbers: 1, 2, 3, ... They are
sent in batches, which are numbered separately for each peer. A peer acknowledges batches.

An announcement is *known* when all peers have acknowledged it, except:

- *silent* peers, from which nothing was received recently
- *late* peers, which did not acknowledge an announcement in time. A peer is no longer late when it has acknowledged
  everything that was sent to it.
"""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class PeerProgress:
    """The announcements that one peer knows.

    - ``sent``: the batches that the peer has not acknowledged. Each is a pair: the number of the batch, and the number
      of the last announcement in it.
    - ``acknowledged``: the number of the last announcement that the peer has acknowledged
    """

    sent: deque[tuple[int, int]] = field(default_factory=deque)
    acknowledged: int = 0
    is_silent: bool = False
    is_late: bool = False


class KnownInterest:
    """The announcements that the peers have acknowledged."""

    def __init__(self) -> None:
        self._peers: dict[str, PeerProgress] = {}

    def add(self, peer: str) -> None:
        """Add a peer. From now on, its acknowledgments are required. Do nothing if it was added before."""
        self._peers.setdefault(peer, PeerProgress())

    def remove(self, peer: str) -> None:
        """Forget a peer that has left the cluster."""
        self._peers.pop(peer, None)

    def on_sent(self, peer: str, batch: int, number: int) -> None:
        """Record that a batch for a peer contains the announcement ``number``, or all announcements up to it."""
        progress = self._peers.get(peer)
        if progress is None:
            return
        sent = progress.sent
        if sent and sent[-1][0] == batch:
            number = max(number, sent.pop()[1])
        sent.append((batch, number))

    def on_acknowledged(self, peer: str, batch: int, *, is_caught_up: bool) -> None:
        """Record that a peer has acknowledged the batches for it up to the number ``batch``.

        ``is_caught_up`` is true if the peer has acknowledged everything that was sent to it.
        """
        progress = self._peers.get(peer)
        if progress is None:
            return
        sent = progress.sent
        while sent and sent[0][0] <= batch:
            progress.acknowledged = max(progress.acknowledged, sent.popleft()[1])
        if is_caught_up:
            progress.is_late = False

    def set_silent(self, peer: str, is_silent: bool) -> None:
        """Record that a peer has become silent, or was heard again."""
        progress = self._peers.get(peer)
        if progress is not None:
            progress.is_silent = is_silent

    def on_missed(self, number: int) -> list[str]:
        """Mark the peers that have not acknowledged announcement ``number`` as late, and return their ids.

        Skip silent peers and those that are already late.
        """
        late = [
            name
            for name, progress in self._peers.items()
            if progress.acknowledged < number and not progress.is_silent and not progress.is_late
        ]
        for name in late:
            self._peers[name].is_late = True
        return late

    def known(self, last: int) -> int:
        """Return the number of the last known announcement. ``last`` is the number of the last announcement."""
        waited = (each.acknowledged for each in self._peers.values() if not each.is_silent and not each.is_late)
        return min(waited, default=last)
