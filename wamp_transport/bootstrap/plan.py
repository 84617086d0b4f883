"""Apply a configuration as a plan: a list of parts, each applied, retried and compared on its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

from ..config.configuration import Configuration
from ..config.report import ConfigError

logger = logging.getLogger(__name__)

PREPARE_SECONDS: Final = 120.0
"""How long a part may prepare. Static files are indexed meanwhile."""

APPLY_SECONDS: Final = 30.0
"""How long a part may take to apply a configuration, so that one that hangs cannot hold up the next configuration."""


class ConfigurationPart(Protocol):
    """A part of a node that follows the configuration.

    A new part joins with one line, in the list that :class:`~.started_node.StartedNode` gives to its
    :class:`PlanRunner`::

        self.plan = PlanRunner(
            [
                LoginsPart(...),
                RouterPart(node),
                self.mounts,
                ...
                ClusterLink(node),  # connect to and leave other nodes
                MetricsEndpoint(node),  # open and close the page of metrics
                WebServices(node),  # the paths of type publisher, caller and so on
            ]
        )

    Order: parts that *restrict* come first (who may log in, permissions, sessions that must end). A part that waits
    for a database, a disk or a network comes after them, so that its failure cannot keep alive what is no longer
    allowed.
    """

    name: str
    """What the log and the admin call the part, such as ``history``."""

    async def prepare(self, new: Configuration) -> None:
        """Build what ``new`` needs, without any visible change. What is slow or may fail belongs here.

        It is called before each :meth:`apply`. A ConfigError refuses the whole configuration, and nothing is changed;
        any other exception leaves this part alone behind, and it is retried.
        """
        return  # a part without anything to prepare inherits this

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Apply ``new``.

        ``applied`` is the last configuration that *this part* applied completely, None at the start. An attempt after
        it may have failed half-way, so compare ``new`` with what the part really has, and take ``applied`` for what
        cannot be seen there. It must be idempotent: after an exception it is called again until it succeeds, with a
        newer configuration if one has arrived meanwhile; and once more when a part before it has recovered.
        """
        ...

    def close(self) -> None:
        """Release what the part holds, as the process ends."""
        return  # a part that holds nothing inherits this


class PartsBehind(Exception):
    """Parts could not apply a configuration. The others have; these are retried."""

    def __init__(self, failures: Iterable[tuple[ConfigurationPart, Exception]]) -> None:
        super().__init__("; ".join(f"{part.name}: {text_of(error)}" for part, error in failures))


class PlanRunner:
    """Apply configurations to a list of parts, and remember which of them is behind."""

    def __init__(self, parts: Sequence[ConfigurationPart]) -> None:
        self.parts = list(parts)
        self._wanted: Configuration | None = None
        self._applied: dict[int, Configuration] = {}
        self._failed: set[int] = set()
        self._reported: dict[int, str] = {}

    @property
    def behind(self) -> list[ConfigurationPart]:
        """The parts that could not apply the configuration that is wanted."""
        return [part for part in self.parts if id(part) in self._failed]

    async def apply(self, new: Configuration) -> None:
        """Apply ``new``: first all parts prepare, then each applies it, whatever happens to the others.

        Raises ConfigError if a part refuses ``new``; nothing has changed then. Raises PartsBehind if parts failed.
        """
        failures = await self._prepare(self.parts, new)
        refusal = next((error for error in failures.values() if isinstance(error, ConfigError)), None)
        if refusal is not None:
            raise refusal
        self._wanted = new
        for part in self.parts:
            await self._apply(part, new, failures)
        self._finish(failures)

    async def retry(self) -> None:
        """Let the parts that are behind try again. Raises PartsBehind if some still fail.

        A part may rest on those before it, as histories rest on the realms of the router: what comes after a part that
        has recovered is applied once more.
        """
        if self._wanted is None or not self.behind:
            return
        parts = self.parts[self.parts.index(self.behind[0]) :]
        failures = await self._prepare(parts, self._wanted)
        has_recovered = False
        for part in parts:
            was_behind = id(part) in self._failed
            if was_behind or has_recovered:
                await self._apply(part, self._wanted, failures)
                has_recovered = has_recovered or part not in failures
            else:
                failures.pop(part, None)  # it has applied the configuration all the same
        self._finish(failures)

    def close(self) -> None:
        """Close all parts, the last one first."""
        for part in reversed(self.parts):
            try:
                part.close()
            except Exception:
                logger.exception("The part %s could not be closed", part.name)

    async def _prepare(
        self, parts: Iterable[ConfigurationPart], new: Configuration
    ) -> dict[ConfigurationPart, Exception]:
        failures: dict[ConfigurationPart, Exception] = {}
        for part in parts:
            error = await failure_of(lambda part=part: part.prepare(new), PREPARE_SECONDS)  # type: ignore[misc]
            if error is not None:
                failures[part] = error
        return failures

    async def _apply(
        self, part: ConfigurationPart, new: Configuration, failures: dict[ConfigurationPart, Exception]
    ) -> None:
        """Let a part that could prepare apply ``new``. What it raises goes to ``failures``."""
        if part not in failures:
            applied = self._applied.get(id(part))
            error = await failure_of(lambda: part.apply(new, applied), APPLY_SECONDS)
            if error is None:
                self._applied[id(part)] = new
                self._failed.discard(id(part))
                self._reported.pop(id(part), None)
                return
            failures[part] = error
        self._failed.add(id(part))

    def _finish(self, failures: dict[ConfigurationPart, Exception]) -> None:
        for part, error in failures.items():
            self._report(part, error)
        if failures:
            raise PartsBehind(failures.items())

    def _report(self, part: ConfigurationPart, error: Exception) -> None:
        """Log a failure, once for as long as it is the same. Only what is not foreseen has a traceback."""
        text = text_of(error)
        if self._reported.get(id(part)) != text:
            self._reported[id(part)] = text
            is_foreseen = isinstance(error, ConfigError | OSError)
            message = "The new configuration is not applied to the %s, it is tried again: %s"
            logger.error(message, part.name, text, exc_info=None if is_foreseen else error)


async def failure_of(work: Callable[[], Awaitable[None]], seconds: float) -> Exception | None:
    """Do ``work`` and return what it raises; a TimeoutError if it takes longer than ``seconds``."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await work()
    except Exception as error:  # noqa: BLE001 - one part that fails must not harm the others
        if isinstance(error, TimeoutError) and limit.expired():
            return TimeoutError(f"it has not ended within {seconds:g} seconds")
        return error
    return None


def text_of(error: Exception) -> str:
    """Return what an exception says; its type if it says nothing."""
    return str(error) or type(error).__name__
