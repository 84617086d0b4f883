"""What the code under test has published and called, and whether that is what a test wants."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .commits import waiting_for_commit
from .records import ANY, Call, Failure, Match, Publication, Wanted, listed, looked_for, said


class Recording:
    """All that the code under test has done by ``wamp_transport.api``; it is a sequence of its publications.

    ``settle`` lets happen what can, before one looks.
    """

    def __init__(self, settle: Callable[[], None]) -> None:
        self._settle = settle
        self._publications: list[Publication] = []
        self._calls: list[Call] = []
        self._failures: list[Failure] = []

    def __iter__(self) -> Iterator[Publication]:
        return iter(self.publications)

    def __len__(self) -> int:
        return len(self.publications)

    def __getitem__(self, index: int) -> Publication:
        return self.publications[index]

    def __repr__(self) -> str:
        return f"<Recording: {self._publications}>"

    @property
    def publications(self) -> list[Publication]:
        """What was published, in order."""
        self._settle()
        return self._publications

    @property
    def calls(self) -> list[Call]:
        """What was called, in order."""
        self._settle()
        return self._calls

    @property
    def failures(self) -> list[Failure]:
        """What handlers have raised that they should not, in order."""
        return self._failures

    def published(self, publication: Publication) -> None:
        """One more."""
        self._publications.append(publication)

    def called(self, call: Call) -> None:
        """One more."""
        self._calls.append(call)

    def forget(self) -> None:
        """What was published, called and has failed so far is of no interest."""
        self.publications.clear()
        self.calls.clear()
        self.failures.clear()

    def assert_published(
        self,
        topic: str,
        args: Sequence[Any] = ANY,
        kwargs: Mapping[str, Any] = ANY,
        *,
        count: int | None = None,
        match: Match = "exact",
    ) -> list[Publication]:
        """The publications that fit: ``count`` of them, or one at least. Raises AssertionError, which lists what came.

        Values are compared as they arrive: ``Decimal("9.90")`` is ``"9.90"``, and a tuple a list.
        """
        wanted = Wanted(topic, args, kwargs, match)

        def fits(one: Publication) -> bool:
            return one.refused is None and wanted.fits(one.topic, one.args, one.kwargs)

        return looked_for(wanted, count, self.publications, fits, "published", self._hints(wanted))

    def assert_not_published(
        self, topic: str, args: Sequence[Any] = ANY, kwargs: Mapping[str, Any] = ANY, *, match: Match = "exact"
    ) -> None:
        """Nothing that fits was published. Raises AssertionError, which lists what was."""
        self.assert_published(topic, args, kwargs, count=0, match=match)

    def assert_called(
        self,
        procedure: str,
        args: Sequence[Any] = ANY,
        kwargs: Mapping[str, Any] = ANY,
        *,
        count: int | None = None,
        match: Match = "exact",
    ) -> list[Call]:
        """The calls that fit: ``count`` of them, or one at least. Raises AssertionError, which lists what there is."""
        wanted = Wanted(procedure, args, kwargs, match)
        return looked_for(
            wanted, count, self.calls, lambda one: wanted.fits(one.procedure, one.args, one.kwargs), "called"
        )

    def assert_not_called(
        self, procedure: str, args: Sequence[Any] = ANY, kwargs: Mapping[str, Any] = ANY, *, match: Match = "exact"
    ) -> None:
        """Nothing that fits was called. Raises AssertionError, which lists what was."""
        self.assert_called(procedure, args, kwargs, count=0, match=match)

    def _hints(self, wanted: Wanted) -> list[str]:
        published, others = waiting_for_commit()
        waiting = [said(one.topic, one.args, one.kwargs) for one in published]
        waiting += [f"{others} {'other thing' if others == 1 else 'other things'} to do"] if others else []
        title = "What waits for the commit of a transaction (wrap the code in committing(), and it is sent):"
        failures = listed("Handlers have failed:", self.failures, "")
        return [*listed(title, waiting, ""), *failures]
