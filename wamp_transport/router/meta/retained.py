"""Implement ``wamp.retained.*``: delete retained events. The specification has no procedures for this."""

from typing import Any

from ...wamp.messages import PublishOptions
from ..permissions import refusal
from ..records import Session
from .arguments import Arguments
from .context import Context, Procedure


def clear(context: Context, caller: Session, arguments: Arguments) -> bool:
    """Delete the retained events of a topic. Return False if there are none.

    The caller must be allowed to publish to the topic. Such a caller could replace the retained events anyway.
    """
    topic: Any = arguments.require(0, "topic", str)
    if len(topic) > caller.limits.uri_length:
        raise caller.limits.refusal("uri_length")
    decision = context.broker.role_of(caller).check(caller, "publish", topic, PublishOptions(retain=True))
    if not decision.allowed:
        raise refusal(decision, "publish", topic)
    return context.broker.clear_retained(topic)


PROCEDURES: dict[str, Procedure] = {"wamp.retained.clear": clear}
