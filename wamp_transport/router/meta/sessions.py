"""Implement ``wamp.session.*``: list, describe and end sessions, and manage testaments.

See the WAMP specification, Advanced Profile, "Session Meta API" and "Session Testament".
"""

from collections.abc import Callable
from typing import Any

from ...wamp import errors
from ...wamp.errors import RequestRefused
from ...wamp.messages import Publish, PublishOptions
from ...wamp.payload import ABSENT
from ...wamp.uris import is_reserved, is_uri
from ..message_checks import check_announced
from ..permissions import refusal
from ..records import Session, session_details
from ..testaments import validate_scope
from .arguments import Arguments
from .context import Context, LargeResult, Procedure


def count(context: Context, caller: Session, arguments: Arguments) -> int:
    """Return the number of sessions. If a list of roles is given, count only the sessions with these roles."""
    roles = _roles(arguments)
    return sum(roles is None or session.authrole in roles for session in context.sessions.values())


def list_(context: Context, caller: Session, arguments: Arguments) -> LargeResult:
    """Return the ids of the sessions. If a list of roles is given, include only the sessions with these roles."""
    roles = _roles(arguments)
    return LargeResult(
        lambda: [session.id for session in context.sessions.values() if roles is None or session.authrole in roles]
    )


def get(context: Context, caller: Session, arguments: Arguments) -> dict[str, Any]:
    """Return the details of a session."""
    return session_details(_session(context, arguments.require(0, "session")))


def kill(context: Context, caller: Session, arguments: Arguments) -> None:
    """End a session other than the caller's."""
    reason, message = _reason(arguments)
    session = _session(context, arguments.require(0, "session"))
    if session is caller:
        raise RequestRefused(errors.NO_SUCH_SESSION, "a session cannot kill itself")
    context.leave(session.id, reason, message, killer=caller)


def kill_by_authid(context: Context, caller: Session, arguments: Arguments) -> list[int]:
    """End all sessions with a given authid, except the caller's own session, and return their ids."""
    authid = arguments.require(0, "authid", str)
    return _kill(context, caller, arguments, lambda session: session.authid == authid)


def kill_by_authrole(context: Context, caller: Session, arguments: Arguments) -> int:
    """End all sessions with a given role, except the caller's own session, and return their number."""
    authrole = arguments.require(0, "authrole", str)
    return len(_kill(context, caller, arguments, lambda session: session.authrole == authrole))


def kill_all(context: Context, caller: Session, arguments: Arguments) -> int:
    """End all sessions of the realm, except the caller's own session, and return their number.

    Their testaments and the meta events ``wamp.session.on_leave`` are not published.
    """
    return len(_kill(context, caller, arguments, lambda session: True, is_quiet=True))


def add(context: Context, caller: Session, arguments: Arguments) -> None:
    """Add a testament: an event to publish when the caller's session ends.

    The positional arguments are topic, args and kwargs. The keyword arguments are publish_options and scope.
    """
    topic = arguments.require(0, "topic", str)
    args = arguments.get(1, "args", list[Any])
    kwargs = arguments.get(2, "kwargs", dict[str, Any])
    options = arguments.get_keyword("publish_options", PublishOptions, PublishOptions())
    options.acknowledge = options.exclude_me = None
    scope = validate_scope(arguments.get_keyword("scope", str, "destroyed"))
    if len(topic) > caller.limits.uri_length:
        raise caller.limits.refusal("uri_length")
    decision = context.broker.role_of(caller).check(caller, "publish", topic, options)
    if not decision.allowed or is_reserved(topic):
        raise refusal(decision, "publish", topic)
    publish = Publish(1, options, topic, ABSENT if args is None else args, ABSENT if kwargs is None else kwargs)
    check_announced(caller, "publisher", options, "publish_options")
    context.broker.check_options(caller, publish)
    context.testaments.add(caller, scope, publish)


def flush(context: Context, caller: Session, arguments: Arguments) -> None:
    """Delete the caller's testaments in one scope."""
    context.testaments.flush(caller, arguments.get_keyword("scope", str, "destroyed"))


def _roles(arguments: Arguments) -> frozenset[str] | None:
    names = arguments.get(0, "filter_authroles", list[str])
    return None if names is None else frozenset(names)


def _session(context: Context, session_id: int) -> Session:
    session = context.sessions.get(session_id)
    if session is None:
        raise RequestRefused(errors.NO_SUCH_SESSION, f"there is no session {session_id} in this realm")
    return session


def _kill(
    context: Context,
    caller: Session,
    arguments: Arguments,
    matches: Callable[[Session], bool],
    *,
    is_quiet: bool = False,
) -> list[int]:
    reason, message = _reason(arguments)
    session_ids = [session.id for session in context.sessions.values() if session is not caller and matches(session)]
    for session_id in session_ids:
        context.leave(session_id, reason, message, is_quiet=is_quiet, killer=caller)
    return session_ids


def _reason(arguments: Arguments) -> tuple[str, str]:
    reason = arguments.get_keyword("reason", str, errors.CLOSE_KILLED)
    if not is_uri(reason, loose=True):
        raise RequestRefused(errors.INVALID_URI, f"reason is not a URI: {reason!r}")
    return reason, arguments.get_keyword("message", str, "")


PROCEDURES: dict[str, Procedure] = {
    "wamp.session.count": count,
    "wamp.session.list": list_,
    "wamp.session.get": get,
    "wamp.session.kill": kill,
    "wamp.session.kill_by_authid": kill_by_authid,
    "wamp.session.kill_by_authrole": kill_by_authrole,
    "wamp.session.kill_all": kill_all,
    "wamp.session.add_testament": add,
    "wamp.session.flush_testaments": flush,
}
