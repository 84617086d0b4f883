"""What an authorizer is asked and what it may answer, as Crossbar.io has it: ``(session, uri, action, options)``.

Whatever is no valid answer counts as none, so that a mistake in an authorizer never allows anything.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from ..router.decisions import Permit
from ..router.effects import AuthorizationRequest

FLAGS: Final = ("allow", "cache", "disclose")
"""The keys of an answer that are true or false; ``validate`` is the fourth key."""


class InvalidAnswer(ValueError):
    """What an authorizer has returned is no answer. The message says why, without the answer itself."""


def arguments(request: AuthorizationRequest) -> list[Any]:
    """The arguments of an authorizer, as plain values of its own."""
    asked = [request.session, request.uri, request.action, request.options]
    values: list[Any] = msgspec.to_builtins(asked, builtin_types=(bytes,))
    return values


def permit(answer: object) -> Permit:
    """The decision that an authorizer has returned: a bool, or a dict with ``allow`` and maybe the other keys.

    Raises InvalidAnswer.
    """
    if isinstance(answer, bool):
        return Permit(answer)
    if not isinstance(answer, Mapping):
        raise InvalidAnswer(f"expected true, false or a dictionary, got {type(answer).__name__}")
    for key, value in answer.items():
        check = CHECKS.get(key)
        if check is None:
            raise InvalidAnswer(f"{key!r} is no key of an answer; there are {', '.join(CHECKS)}")
        check(key, value)
    if "allow" not in answer:
        raise InvalidAnswer("the key 'allow' is missing")
    return Permit(**{name: answer[name] for name in FLAGS if name in answer})


def _flag(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidAnswer(f"{key!r} must be true or false, not {type(value).__name__}")


def _nothing(key: str, value: object) -> None:
    if value is not None:
        raise InvalidAnswer(f"{key!r} asks for payload types, which are not checked here; leave it out")


CHECKS: Final[Mapping[Any, Callable[[str, object], None]]] = {**dict.fromkeys(FLAGS, _flag), "validate": _nothing}
