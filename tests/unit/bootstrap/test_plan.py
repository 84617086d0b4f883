"""A plan: parts that fail are behind, the others go on; what is retried and in which order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from wamp_transport.bootstrap import plan as module
from wamp_transport.bootstrap.plan import ConfigurationPart, PartsBehind, PlanRunner
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.report import ConfigError, Report

ONE, TWO, THREE = (Configuration(name, Path(), (), ()) for name in ("one", "two", "three"))


class Part(ConfigurationPart):
    """A part that notes what it is asked, and fails where a test says."""

    def __init__(self, name: str, steps: list[tuple[str, ...]]) -> None:
        self.name = name
        self.steps = steps
        self.error: Exception | None = None
        self.failing_step = "apply"
        self.hangs = False

    async def prepare(self, new: Configuration) -> None:
        self._step("prepare", new.source)

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self._step("apply", new.source, applied.source if applied is not None else "")

    def close(self) -> None:
        self._step("close")

    def _step(self, step: str, *more: str) -> None:
        self.steps.append((self.name, step, *more))
        if self.error is not None and step == self.failing_step:
            raise self.error


@pytest.fixture
def steps() -> list[tuple[str, ...]]:
    return []


@pytest.fixture
def parts(steps: list[tuple[str, ...]]) -> tuple[Part, Part]:
    return Part("a", steps), Part("b", steps)


@pytest.fixture
def plan(parts: tuple[Part, Part]) -> PlanRunner:
    return PlanRunner(parts)


def run(work: Awaitable[None]) -> str:
    """Run to the end; what the parts that are behind say."""

    async def whole() -> None:
        await work

    try:
        asyncio.run(whole())
    except PartsBehind as error:
        return str(error)
    return ""


def test_all_prepare_before_any_applies(plan: PlanRunner, steps: list[tuple[str, ...]]) -> None:
    assert run(plan.apply(ONE)) == ""
    assert steps == [
        ("a", "prepare", "one"),
        ("b", "prepare", "one"),
        ("a", "apply", "one", ""),
        ("b", "apply", "one", ""),
    ]
    assert plan.behind == []


@pytest.mark.expects_errors("Applying the new configuration to the a failed; it is retried: disk full")
def test_part_that_fails_is_retried_with_those_after_it(
    plan: PlanRunner, parts: tuple[Part, Part], steps: list[tuple[str, ...]]
) -> None:
    run(plan.apply(ONE))
    parts[0].error = OSError("disk full")
    assert run(plan.apply(TWO)) == "a: disk full"
    assert steps[-1] == ("b", "apply", "two", "one")
    assert plan.behind == [parts[0]]
    parts[0].error = None
    steps.clear()
    assert run(plan.retry()) == ""
    assert steps[:2] == [("a", "prepare", "two"), ("b", "prepare", "two")]
    assert steps[2:] == [("a", "apply", "two", "one"), ("b", "apply", "two", "two")]  # which may rest on the first
    steps.clear()
    assert run(plan.retry()) == ""
    assert steps == []


@pytest.mark.expects_errors("Applying the new configuration to the a failed; it is retried: disk full")
def test_next_configuration_is_compared_with_what_each_part_has_applied(
    plan: PlanRunner, parts: tuple[Part, Part], steps: list[tuple[str, ...]]
) -> None:
    run(plan.apply(ONE))
    parts[0].error = OSError("disk full")
    run(plan.apply(TWO))
    parts[0].error = None
    run(plan.apply(THREE))
    assert steps[-2:] == [("a", "apply", "three", "one"), ("b", "apply", "three", "two")]


def test_configuration_that_a_part_refuses_changes_nothing(
    plan: PlanRunner, parts: tuple[Part, Part], steps: list[tuple[str, ...]]
) -> None:
    run(plan.apply(ONE))
    steps.clear()
    parts[1].error, parts[1].failing_step = ConfigError(Report("two")), "prepare"
    with pytest.raises(ConfigError):
        run(plan.apply(TWO))
    assert steps == [("a", "prepare", "two"), ("b", "prepare", "two")]
    assert plan.behind == []


@pytest.mark.expects_errors("Applying the new configuration to the a failed; it is retried")
@pytest.mark.parametrize("error", [OSError("disk full"), KeyError("a bug")])
def test_part_that_cannot_prepare_is_behind_alone(
    plan: PlanRunner, parts: tuple[Part, Part], steps: list[tuple[str, ...]], error: Exception
) -> None:
    parts[0].error, parts[0].failing_step = error, "prepare"
    assert run(plan.apply(ONE)) == f"a: {error}"
    assert steps[2:] == [("b", "apply", "one", "")]
    assert plan.behind == [parts[0]]


@pytest.mark.expects_errors("Applying the new configuration to the a failed; it is retried")
def test_refusal_of_a_part_that_is_behind_is_a_failure_like_others(plan: PlanRunner, parts: tuple[Part, Part]) -> None:
    parts[0].error = OSError("disk full")
    run(plan.apply(ONE))
    parts[0].error, parts[0].failing_step = ConfigError(Report("one")), "prepare"
    assert run(plan.retry()).startswith("a: ")


@pytest.mark.expects_errors("Applying the new configuration to the a failed; it is retried: it did")
def test_part_that_hangs_is_given_up(
    plan: PlanRunner, parts: tuple[Part, Part], steps: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "APPLY_SECONDS", 0.01)
    parts[0].hangs = True
    assert run(plan.apply(ONE)) == "a: it did not finish within 0.01 seconds"
    assert steps[-1] == ("b", "apply", "one", "")


@pytest.mark.expects_errors("Applying the new configuration to the a failed; it is retried:")
def test_timeout_of_the_parts_own_work_says_what_that_says(plan: PlanRunner, parts: tuple[Part, Part]) -> None:
    parts[0].error = TimeoutError()
    assert run(plan.apply(ONE)) == "a: TimeoutError"


@pytest.mark.expects_errors("Applying the new configuration to the a failed; it is retried")
def test_failure_is_logged_once_with_a_traceback_where_it_is_not_foreseen(
    plan: PlanRunner, parts: tuple[Part, Part], caplog: pytest.LogCaptureFixture
) -> None:
    def tracebacks(work: Callable[[], Awaitable[None]]) -> list[bool]:
        caplog.clear()
        run(work())
        return [record.exc_info is not None for record in caplog.records]

    with caplog.at_level(logging.ERROR):
        parts[0].error = OSError("disk full")
        assert tracebacks(lambda: plan.apply(ONE)) == [False]
        assert tracebacks(plan.retry) == []
        parts[0].error = ValueError("a bug")
        assert tracebacks(plan.retry) == [True]
        parts[0].error = None
        assert tracebacks(plan.retry) == []
        parts[0].error = ValueError("a bug")
        assert tracebacks(lambda: plan.apply(TWO)) == [True]


@pytest.mark.expects_errors("Closing the part b failed")
def test_parts_are_closed_from_the_last_to_the_first_whatever_one_raises(
    plan: PlanRunner, parts: tuple[Part, Part], steps: list[tuple[str, ...]], caplog: pytest.LogCaptureFixture
) -> None:
    parts[1].error, parts[1].failing_step = OSError("busy"), "close"
    plan.close()
    assert steps == [("b", "close"), ("a", "close")]
    assert "Closing the part b failed" in caplog.text


def test_retry_before_the_first_configuration_does_nothing(plan: PlanRunner, steps: list[tuple[str, ...]]) -> None:
    assert run(plan.retry()) == ""
    assert steps == []


@pytest.mark.expects_errors("Applying the new configuration to the a failed; it is retried: disk full")
def test_what_comes_after_a_part_is_left_alone_until_that_has_recovered(
    plan: PlanRunner, parts: tuple[Part, Part], steps: list[tuple[str, ...]]
) -> None:
    parts[0].error = OSError("disk full")
    run(plan.apply(ONE))
    steps.clear()
    parts[1].error, parts[1].failing_step = OSError("later"), "prepare"
    assert run(plan.retry()) == "a: disk full"
    assert steps[-1] == ("a", "apply", "one", "")
    assert plan.behind == [parts[0]]


@pytest.mark.expects_errors("Applying the new configuration to the")
def test_what_fails_when_it_is_applied_once_more_is_behind(plan: PlanRunner, parts: tuple[Part, Part]) -> None:
    parts[0].error = OSError("disk full")
    run(plan.apply(ONE))
    parts[0].error, parts[1].error = None, OSError("later")
    assert run(plan.retry()) == "b: later"
    assert plan.behind == [parts[1]]
    parts[1].error = None
    assert run(plan.retry()) == ""


@pytest.mark.expects_errors("Applying the new configuration to the b failed; it is retried: disk full")
def test_first_part_is_left_alone_when_the_second_recovers(
    plan: PlanRunner, parts: tuple[Part, Part], steps: list[tuple[str, ...]]
) -> None:
    parts[1].error = OSError("disk full")
    run(plan.apply(ONE))
    parts[1].error = None
    steps.clear()
    run(plan.retry())
    assert steps == [("b", "prepare", "one"), ("b", "apply", "one", "")]
