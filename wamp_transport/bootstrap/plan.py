"""The plan for applying a configuration to the parts of a node. A part that fails is retried; the others continue."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

from ..config.configuration import Configuration
from ..config.report import ConfigError

logger = logging.getLogger(__name__)

PREPARE_SECONDS: Final = 120.0
"""The time limit for preparing a part. Preparation can include slow work, such as indexing static files."""

APPLY_SECONDS: Final = 30.0
"""The time limit for applying a configuration to a part. A part that hangs must not block the next configuration."""


class ConfigurationPart(Protocol):
    """A part of a node to which configurations are applied.

    To add a part, add one line to the list that :class:`~.started_node.StartedNode` gives to its
    :class:`PlanRunner`::

        self.plan = PlanRunner(
            [
                LoginsPart(...),
                RouterPart(node),
                self.mounts,
                ...
                NewPart(node),
            ]
        )

    The order matters. Parts that *restrict* come first: logins, permissions, and sessions that must end. A part that
    waits for a database, a disk or a network comes after them, so that its failure cannot keep sessions open that are
    no longer allowed.
    """

    name: str
    """The name of the part in the log and in the admin, such as ``history``."""

    async def prepare(self, new: Configuration) -> None:
        """Build everything that ``new`` needs, without any visible change. Do work here that is slow or can fail.

        This method is called before each :meth:`apply`. If it raises ConfigError, the whole configuration is refused
        and nothing changes. After any other exception, this part is retried later and the other parts are applied.
        """
        return  # parts that need no preparation inherit this

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Apply ``new``.

        ``applied`` is the last configuration that *this part* applied completely; it is None at the start. A later
        attempt can have failed halfway. Therefore, compare ``new`` with the actual state of the part, and use
        ``applied`` only for differences that the state does not show.

        The method must be idempotent. If it raises an exception, it is called again until it succeeds, with the latest
        configuration. It is also called again when an earlier part of the list has recovered.
        """
        ...

    def close(self) -> None:
        """Release resources before the process ends."""
        return  # parts without resources inherit this


class PartsBehind(Exception):
    """Raised if some parts of the node fail to apply a configuration. All other parts have applied it."""

    def __init__(self, failures: Iterable[tuple[ConfigurationPart, Exception]]) -> None:
        super().__init__("; ".join(f"{part.name}: {text_of(error)}" for part, error in failures))


class PlanRunner:
    """A runner that applies configurations to a list of parts, and retries the parts that have failed.

    The order of the list matters; see :class:`ConfigurationPart`.
    """

    def __init__(self, parts: Sequence[ConfigurationPart]) -> None:
        self.parts = list(parts)
        self._wanted: Configuration | None = None
        self._applied: dict[int, Configuration] = {}
        self._failed: set[int] = set()
        self._reported: dict[int, str] = {}

    @property
    def behind(self) -> list[ConfigurationPart]:
        """The parts that have not applied the latest configuration."""
        return [part for part in self.parts if id(part) in self._failed]

    async def apply(self, new: Configuration) -> None:
        """Prepare all parts for ``new``, then apply it to each part. A failure of one part does not stop the others.

        Raises ConfigError if a part refuses ``new``; in this case nothing has changed. Raises PartsBehind if parts
        failed.
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
        """Retry the parts that have not applied the latest configuration. Raises PartsBehind if some still fail.

        A part can depend on earlier parts, as histories depend on the router's realms. Therefore, when a part recovers,
        the configuration is applied again to all later parts.
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
                failures.pop(part, None)  # this part has already applied the configuration and needs no new preparation
        self._finish(failures)

    def close(self) -> None:
        """Close all parts in reverse order."""
        for part in reversed(self.parts):
            try:
                part.close()
            except Exception:
                logger.exception("Closing the part %s failed", part.name)

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
        """Apply ``new`` to a part, unless its preparation failed. If this fails, add the exception to ``failures``."""
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
        """Log a failure if it is new or has changed. Unexpected exceptions are logged with a traceback."""
        text = text_of(error)
        if self._reported.get(id(part)) != text:
            self._reported[id(part)] = text
            is_foreseen = isinstance(error, ConfigError | OSError)
            message = "Applying the new configuration to the %s failed; it is retried: %s"
            logger.error(message, part.name, text, exc_info=None if is_foreseen else error)


async def failure_of(work: Callable[[], Awaitable[None]], seconds: float) -> Exception | None:
    """Await ``work()`` and return its exception, or None if it succeeds.

    If it takes longer than ``seconds``, cancel it and return a TimeoutError.
    """
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await work()
    except Exception as error:  # noqa: BLE001 - a failing part must not affect the others
        if isinstance(error, TimeoutError) and limit.expired():
            return TimeoutError(f"it did not finish within {seconds:g} seconds")
        return error
    return None


def text_of(error: Exception) -> str:
    """Return the message of an exception, or its type's name if the message is empty."""
    return str(error) or type(error).__name__
