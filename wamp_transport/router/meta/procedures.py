"""Adapt the meta procedures for the dealer: decode the payload of the CALL, call the procedure, and send the RESULT."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ...wamp.errors import PayloadError, RequestRefused
from ...wamp.messages import CODES, Call, Error, ErrorDetails, Result, ResultDetails
from ...wamp.payload import ABSENT, PYTHON, positional
from ..effects import Effect, Produce, Send
from ..environment import RouterProcedure
from ..records import Peer, Session
from . import registrations, retained, sessions, subscriptions
from .arguments import Arguments
from .context import Context, LargeResult, Procedure

PROCEDURES: Mapping[str, Procedure] = {
    **sessions.PROCEDURES,
    **registrations.PROCEDURES,
    **subscriptions.PROCEDURES,
    **retained.PROCEDURES,
}


def bind_procedures(context: Context, outbox: list[Effect]) -> dict[str, RouterProcedure]:
    """Return the meta procedures of one realm, by URI."""
    return {uri: partial(_answer, context, outbox, procedure) for uri, procedure in PROCEDURES.items()}


def _answer(context: Context, outbox: list[Effect], procedure: Procedure, caller: Session, call: Call) -> None:
    arguments = read_arguments(context, caller.payload_format, call.args, call.kwargs)
    value = procedure(context, caller, arguments)
    send_result(outbox, caller, call, value)


def send_result(outbox: list[Effect], caller: Peer, call: Call, value: Any) -> None:
    """Send the result of a meta procedure, which can be a LargeResult, to the caller."""
    if type(value) is LargeResult:
        outbox.append(Produce(caller.id, _produce(value, caller, call)))
    else:
        outbox.append(_result(value, caller, call))


def _produce(large: LargeResult, caller: Peer, call: Call) -> Iterator[Send]:
    try:
        yield _result(large.compute(), caller, call)
    except RequestRefused as refused:
        error = Error(CODES[Call], call.request_id, ErrorDetails(), refused.uri, positional(str(refused)))
        yield Send((caller.id,), error, PYTHON)


def _result(value: Any, caller: Peer, call: Call) -> Send:
    return Send((caller.id,), Result(call.request_id, ResultDetails(), positional(value)), PYTHON)


def read_arguments(context: Context, payload_format: str, args: Any, kwargs: Any) -> Arguments:
    """Return the arguments of a call, decoded from its payload. Raises RequestRefused if the payload is invalid."""
    return Arguments(_values(context, payload_format, args, []), _values(context, payload_format, kwargs, {}))


def _values(context: Context, payload_format: str, raw: Any, absent: Any) -> Any:
    if raw is ABSENT:
        return absent
    try:
        return context.environment.values_of(payload_format, raw)
    except PayloadError as fault:
        raise RequestRefused(fault.uri, str(fault)) from fault
