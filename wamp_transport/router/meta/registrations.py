"""Implement ``wamp.registration.*``: list, describe and remove registrations.

See the WAMP specification, Advanced Profile, "Registration Meta API".
"""

from typing import Any

from ...wamp import errors
from ...wamp.errors import RequestRefused
from ...wamp.messages import RegisterOptions
from ..message_checks import check_pattern
from ..options import Match
from ..records import Registration, Session
from ..registrations import describe
from .arguments import Arguments
from .context import Context, LargeResult, Procedure


def list_(context: Context, caller: Session, arguments: Arguments) -> LargeResult:
    """Return the ids of all registrations, by match policy."""

    def compute() -> dict[str, list[int]]:
        ids: dict[str, list[int]] = {"exact": [], "prefix": [], "wildcard": []}
        for registration in context.dealer.registrations.values():
            if registration.has_active_callee:
                ids[registration.match].append(registration.id)
        return ids

    return LargeResult(compute)


def lookup(context: Context, caller: Session, arguments: Arguments) -> int | None:
    """Return the id of the registration of exactly this procedure or pattern, or null if there is none."""
    procedure = arguments.require(0, "procedure", str)
    options = arguments.get(1, "options", RegisterOptions, RegisterOptions())
    match_policy: Match = options.match or "exact"
    check_pattern(caller, procedure, match_policy)
    found = context.dealer.lookup(match_policy, procedure)
    return found.id if found is not None and found.has_active_callee else None


def match(context: Context, caller: Session, arguments: Arguments) -> int | None:
    """Return the id of the registration that handles calls of this procedure, or null if there is none."""
    procedure = arguments.require(0, "procedure", str)
    check_pattern(caller, procedure, "wildcard")
    found = context.dealer.best_registration(procedure)
    return None if found is None else found.id


def get(context: Context, caller: Session, arguments: Arguments) -> dict[str, Any]:
    """Return the details of a registration."""
    return describe(_registration(context, arguments))


def list_callees(context: Context, caller: Session, arguments: Arguments) -> LargeResult:
    """Return the session ids of the callees of a registration."""
    registration = _registration(context, arguments)
    return LargeResult(lambda: _active_callees(registration))


def count_callees(context: Context, caller: Session, arguments: Arguments) -> int:
    """Return the number of callees of a registration."""
    return len(_active_callees(_registration(context, arguments)))


def remove_callee(context: Context, caller: Session, arguments: Arguments) -> None:
    """Remove a callee from a registration. Crossbar has this procedure, but the specification does not."""
    # All arguments are checked before anything is looked up, because another node can have the callee.
    arguments.require(0, "registration")
    session_id = arguments.require(1, "session")
    reason = arguments.get(2, "reason", str) or arguments.get_keyword("reason", str, errors.UNREGISTERED)
    registration = _registration(context, arguments)
    session = context.sessions.get(session_id)
    if session is None or session_id not in registration.callees:
        raise RequestRefused(errors.NO_SUCH_SESSION, f"session {session_id} does not hold this registration")
    context.dealer.revoke(session, registration, reason)


def _active_callees(registration: Registration) -> list[int]:
    return [session_id for session_id, callee in registration.callees.items() if callee.is_active]


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
