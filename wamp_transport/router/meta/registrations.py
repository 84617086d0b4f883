"""Implement ``wamp.registration.*``: list, describe and remove registrations.

Section of the specification: Advanced Profile, "Registration Meta API".
"""

from typing import Any

from ...wamp import errors
from ...wamp.errors import RequestRefused
from ...wamp.messages import RegisterOptions
from ..dealer import describe
from ..records import Registration, Session
from .arguments import Arguments
from .context import Context, Procedure


def list_(context: Context, caller: Session, arguments: Arguments) -> dict[str, list[int]]:
    """Return the ids of all registrations, by match policy."""
    ids: dict[str, list[int]] = {"exact": [], "prefix": [], "wildcard": []}
    for registration in context.dealer.registrations.values():
        if registration.has_active_callee:
            ids[registration.match].append(registration.id)
    return ids


def lookup(context: Context, caller: Session, arguments: Arguments) -> int | None:
    """Return the id of the registration of exactly this procedure or pattern, or null if there is none."""
    procedure = arguments.require(0, "procedure", str)
    options = arguments.get(1, "options", RegisterOptions, RegisterOptions())
    found = context.dealer.lookup(options.match or "exact", procedure)
    return found.id if found is not None and found.has_active_callee else None


def match(context: Context, caller: Session, arguments: Arguments) -> int | None:
    """Return the id of the registration that handles calls of this procedure, or null if there is none."""
    found = context.dealer.best_registration(arguments.require(0, "procedure", str))
    return None if found is None else found.id


def get(context: Context, caller: Session, arguments: Arguments) -> dict[str, Any]:
    """Return the details of a registration."""
    return describe(_registration(context, arguments))


def list_callees(context: Context, caller: Session, arguments: Arguments) -> list[int]:
    """Return the session ids of the callees of a registration."""
    callees = _registration(context, arguments).callees
    return [session_id for session_id, callee in callees.items() if callee.is_active]


def count_callees(context: Context, caller: Session, arguments: Arguments) -> int:
    """Return the number of callees of a registration."""
    return len(list_callees(context, caller, arguments))


def remove_callee(context: Context, caller: Session, arguments: Arguments) -> None:
    """Remove a callee from a registration. This is an extension that Crossbar also has."""
    registration = _registration(context, arguments)
    session_id = arguments.require(1, "session")
    reason = arguments.get(2, "reason", str) or arguments.get_keyword("reason", str, errors.UNREGISTERED)
    session = context.sessions.get(session_id)
    if session is None or session_id not in registration.callees:
        raise RequestRefused(errors.NO_SUCH_SESSION, f"session {session_id} does not hold this registration")
    context.dealer.revoke(session, registration, reason)


def _registration(context: Context, arguments: Arguments) -> Registration:
    registration_id = arguments.require(0, "registration")
    found = context.dealer.registrations.get(registration_id)
    if found is None or not found.has_active_callee:
        raise RequestRefused(errors.NO_SUCH_REGISTRATION, f"there is no registration {registration_id}")
    return found


PROCEDURES: dict[str, Procedure] = {
    "wamp.registration.list": list_,
    "wamp.registration.lookup": lookup,
    "wamp.registration.match": match,
    "wamp.registration.get": get,
    "wamp.registration.list_callees": list_callees,
    "wamp.registration.count_callees": count_callees,
    "wamp.registration.remove_callee": remove_callee,
}
