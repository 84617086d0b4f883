"""Calls in flight, from both ends: by the caller's request and by the callee's invocation."""

from ..wamp.ids import MAX_ID
from .records import CallRecord, Session


def open_call(caller: Session, request_id: int, callee: Session) -> CallRecord:
    """Record a call and give its invocation the callee's next id.

    Section of the specification: Basic Profile, "IDs" (session scope: 1, 2, 3 and so on).
    """
    invocation_id = callee.last_invocation = callee.last_invocation % MAX_ID + 1
    call = CallRecord(caller, request_id, callee, invocation_id)
    caller.calls[request_id] = call
    callee.invocations[invocation_id] = call
    return call


def end_call(call: CallRecord) -> None:
    """Forget a call at both ends; what its callee still says of it is ignored."""
    call.caller.calls.pop(call.request_id, None)
    call.callee.invocations.pop(call.invocation_id, None)


def was_invoked(callee: Session, invocation_id: int) -> bool:
    """Whether the router ever sent this invocation to the callee; ended ones count."""
    return invocation_id <= callee.last_invocation
