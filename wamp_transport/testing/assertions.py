"""The assertions of :class:`Recording`, as functions and as methods of test cases."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from .recording import Recording
from .router import active_router

Arguments = ParamSpec("Arguments")
Outcome = TypeVar("Outcome")


def on_active_router(assertion: Callable[Concatenate[Recording, Arguments], Outcome]) -> Callable[Arguments, Outcome]:
    """Return a function that applies an assertion to the recording of the active router."""

    @wraps(assertion)
    def function(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Outcome:
        return assertion(active_router().recording, *args, **kwargs)

    return function


def on_test_case(
    assertion: Callable[Concatenate[Recording, Arguments], Outcome],
) -> Callable[Concatenate[Any, Arguments], Outcome]:
    """Return a method that applies an assertion to the recording of ``self.wamp``, the router of a test case."""

    @wraps(assertion)
    def method(case: Any, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Outcome:
        return assertion(case.wamp.recording, *args, **kwargs)

    return method


assert_published = on_active_router(Recording.assert_published)
assert_not_published = on_active_router(Recording.assert_not_published)
assert_called = on_active_router(Recording.assert_called)
assert_not_called = on_active_router(Recording.assert_not_called)
