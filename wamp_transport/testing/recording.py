"""The recording of the publications and calls of the code under test, with assertions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .commits import waiting_for_commit
from .records import (
    ANY,
    Match,
    Query,
    RecordedCall,
    RecordedFailure,
    RecordedPublication,
    find_records,
    in_one_line,
    numbered,
)


class Recording:
    """The publications and calls of the code under test, and the failures of handlers.

    Used as a sequence, the recording contains the publications. ``run_until_idle`` is called before publications or
    calls are read.
    """

    def __init__(self, run_until_idle: Callable[[], None]) -> None:
        self._run_until_idle = run_until_idle
        self._publications: list[RecordedPublication] = []
        self._calls: list[RecordedCall] = []
        self._failures: list[RecordedFailure] = []

    def __iter__(self) -> Iterator[RecordedPublication]:
        return iter(self.publications)

    def __len__(self) -> int:
        return len(self.publications)

    def __getitem__(self, index: int) -> RecordedPublication:
        return self.publications[index]

    def __repr__(self) -> str:
        return f"<Recording: {self._publications}>"

    @property
    def publications(self) -> list[RecordedPublication]:
        """The publications, in order."""
        self._run_until_idle()
        return self._publications

    @property
    def calls(self) -> list[RecordedCall]:
        """The calls, in order."""
        self._run_until_idle()
        return self._calls

    @property
    def failures(self) -> list[RecordedFailure]:
        """The unexpected exceptions of handlers, in order."""
        return self._failures

    def add_publication(self, publication: RecordedPublication) -> None:
        """Record a publication."""
        self._publications.append(publication)

    def add_call(self, call: RecordedCall) -> None:
        """Record a call."""
        self._calls.append(call)

    def forget(self) -> None:
        """Remove all records."""
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
    ) -> list[RecordedPublication]:
        """Assert that ``count`` publications match, or at least one if ``count`` is None. Return them.

        Values are compared in the form in which subscribers receive them: ``Decimal("9.90")`` equals ``"9.90"``, and a
        tuple equals a list. Publications that the router refused do not match. If the assertion fails, its message
        lists all publications.
        """
        query = Query(topic, args, kwargs, match)

        def matches(one: RecordedPublication) -> bool:
            return one.refused is None and query.matches(one.topic, one.args, one.kwargs)

        return find_records(query, count, self.publications, matches, "published", self._hints())

    def assert_not_published(
        self, topic: str, args: Sequence[Any] = ANY, kwargs: Mapping[str, Any] = ANY, *, match: Match = "exact"
    ) -> None:
        """Assert that no publication matches."""
        self.assert_published(topic, args, kwargs, count=0, match=match)

    def assert_called(
        self,
        procedure: str,
        args: Sequence[Any] = ANY,
        kwargs: Mapping[str, Any] = ANY,
        *,
        count: int | None = None,
        match: Match = "exact",
    ) -> list[RecordedCall]:
        """Assert that ``count`` calls match, or at least one if ``count`` is None. Return them.

        Values are compared in the form in which callees receive them. If the assertion fails, its message lists all
        calls.
        """
        query = Query(procedure, args, kwargs, match)

        def matches(one: RecordedCall) -> bool:
            return query.matches(one.procedure, one.args, one.kwargs)

        return find_records(query, count, self.calls, matches, "called")

    def assert_not_called(
        self, procedure: str, args: Sequence[Any] = ANY, kwargs: Mapping[str, Any] = ANY, *, match: Match = "exact"
    ) -> None:
        """Assert that no call matches."""
        self.assert_called(procedure, args, kwargs, count=0, match=match)

    def _hints(self) -> list[str]:
        """Return lines that may explain why an event is missing: publications that wait for a commit, and failures."""
        published, others = waiting_for_commit()
        waiting = [in_one_line(one.topic, one.args, one.kwargs) for one in published]
        waiting += [f"{others} other {'callback' if others == 1 else 'callbacks'}"] if others else []
        title = "Waiting for the commit of a transaction (wrap the code in run_on_commit() to send it):"
        failures = numbered("Handlers have failed:", self.failures, "")
        return [*numbered(title, waiting, ""), *failures]
