"""Answer calls of meta procedures on behalf of all nodes of a cluster, and answer the questions of other nodes.

See :mod:`.open_questions` for the terms. The *home* is the caller's node. It checks the permission and the arguments,
and runs the procedure on its own sessions and subscriptions. Each other node runs the procedure on its sessions and
subscriptions, and replies with the value or error. The table :data:`SHARED` defines for each procedure how the home
combines the values of the nodes.

A node that does not have the session or subscription of the call replies with an error. The caller gets an error only
if all nodes reply with an error. Procedures that are not in the table concern only the caller, or data that every node
has.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec import ValidationError, convert

from ...wamp import errors
from ...wamp.errors import PayloadError, RequestRefused
from ...wamp.messages import Call
from ..effects import Effect
from ..environment import RouterProcedure
from ..open_questions import OpenQuestions
from ..records import RemoteCaller, Session
from ..relayed import SERIALIZED, RelayedQuestion, RelayedReply, received_payload
from .arguments import Arguments
from .context import Context, LargeResult, Procedure
from .procedures import PROCEDURES, read_arguments, send_result

UNKNOWN_HERE: Final = (errors.NO_SUCH_SESSION, errors.NO_SUCH_SUBSCRIPTION, errors.NO_SUCH_REGISTRATION)
"""The errors that mean that a node does not have the session, subscription or registration of a call.

If the nodes have different errors, the caller gets the one that comes first in this list. A node that reports a missing
session has at least found the subscription or registration.
"""

Merge = Callable[[list[Any]], Any]


class Sharing(NamedTuple):
    """The rule for combining the values of several nodes into the answer of a meta procedure.

    - ``kind``: the type of the value that each node returns
    - ``merge``: a function that takes these values (at least one; the value of the home, if any, comes first) and
      returns the result
    - ``is_home_enough``: a function that takes the value of the home, and returns whether this value is already the
      result, so that the other nodes are not asked; None if they are always asked
    - ``question``: the procedure that the other nodes run instead; empty if it is the same
    - ``is_large``: whether the procedure returns a LargeResult
    """

    kind: Any
    merge: Merge
    is_home_enough: Callable[[Any], bool] | None = None
    question: str = ""
    is_large: bool = False


def _first(values: list[Any]) -> Any:
    return values[0]


def _first_known(values: list[int | None]) -> int | None:
    return next((value for value in values if value is not None), None)


def _union(values: Iterable[Sequence[int] | None]) -> list[int]:
    """Return all items of the lists, without duplicates."""
    return list(dict.fromkeys(item for value in values for item in value or ()))


def _union_or_none(values: list[list[int] | None]) -> list[int] | None:
    return _union(values) or None


def _union_by_match(values: list[dict[str, list[int]]]) -> dict[str, list[int]]:
    return {match: _union(value.get(match) for value in values) for match in values[0]}


def _earliest(values: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the details of the subscription that was created first."""
    return min(values, key=lambda value: str(value.get("created")))


def _refuse_history(values: list[dict[str, Any]]) -> None:
    """Refuse to return the history of a subscription that only other nodes have.

    A node has all configured histories, even without subscribers. Therefore, this subscription has none.
    """
    raise RequestRefused(errors.HISTORY_UNAVAILABLE, f"no history is kept of subscription {values[0].get('id')}")


def _always(value: Any) -> bool:
    return True


def _is_known(value: Any) -> bool:
    return value is not None


SHARED: Final[Mapping[str, Sharing]] = {
    "wamp.session.count": Sharing(int, sum),
    "wamp.session.list": Sharing(list[int], _union, is_large=True),
    "wamp.session.get": Sharing(dict[str, Any], _first, _always),
    "wamp.session.kill": Sharing(None, _first, _always),
    "wamp.session.kill_by_authid": Sharing(list[int], _union),
    "wamp.session.kill_by_authrole": Sharing(int, sum),
    "wamp.session.kill_all": Sharing(int, sum),
    "wamp.subscription.list": Sharing(dict[str, list[int]], _union_by_match, is_large=True),
    # Equal patterns have equal ids on all nodes.
    "wamp.subscription.lookup": Sharing(int | None, _first_known, _is_known),
    "wamp.subscription.match": Sharing(list[int] | None, _union_or_none, is_large=True),
    "wamp.subscription.get": Sharing(dict[str, Any], _earliest),
    "wamp.subscription.list_subscribers": Sharing(list[int], _union, is_large=True),
    "wamp.subscription.count_subscribers": Sharing(int, sum),
    "wamp.subscription.remove_subscriber": Sharing(None, _first, _always),
    # Every node has the history of a configured subscription.
    "wamp.subscription.get_events": Sharing(dict[str, Any], _refuse_history, _always, "wamp.subscription.get"),
    "wamp.registration.remove_callee": Sharing(None, _first, _always),
}
"""The meta procedures whose answer depends on several nodes."""


def bind_shared_procedures(
    context: Context, outbox: list[Effect], questions: OpenQuestions
) -> dict[str, RouterProcedure]:
    """Return the meta procedures of one realm that ask other nodes, by URI."""
    return {
        uri: partial(_call, context, outbox, questions, PROCEDURES[uri], sharing) for uri, sharing in SHARED.items()
    }


def _call(
    context: Context,
    outbox: list[Effect],
    questions: OpenQuestions,
    procedure: Procedure,
    sharing: Sharing,
    caller: Session,
    call: Call,
) -> None:
    """Handle the CALL of a meta procedure: run it on this node and, if that is not sufficient, on the other nodes."""
    arguments = read_arguments(context, caller.payload_format, call.args, call.kwargs)
    if not questions.has_nodes:
        questions.count_silent()
        send_result(outbox, caller, call, procedure(context, caller, arguments))
        return
    is_large = sharing.is_large
    payload = questions.payload(caller, call)
    if sharing.is_home_enough is None:
        # The call must be refused before it has any effect on this node.
        questions.check_room(caller, call, is_large=is_large)
    own = _call_here(procedure, context, caller, arguments)
    if sharing.is_home_enough is not None:
        if not isinstance(own, RequestRefused) and sharing.is_home_enough(own):
            send_result(outbox, caller, call, own)
            return
        questions.check_room(caller, call, is_large=is_large)

    def finish(replies: Sequence[RelayedReply]) -> None:
        compute = partial(_merge, context, sharing, own, replies)
        send_result(outbox, caller, call, LargeResult(compute) if is_large else compute())

    question = sharing.question or call.procedure
    questions.ask(context.dealer.calls, caller, call, question, payload, finish, is_large=is_large)


def _call_here(procedure: Procedure, context: Context, caller: Session, arguments: Arguments) -> Any:
    """Run a procedure on this node, and return its value or one of the errors :data:`UNKNOWN_HERE`.

    Raises RequestRefused for all other errors, which do not depend on other nodes.
    """
    try:
        return procedure(context, caller, arguments)
    except RequestRefused as refused:
        if refused.uri not in UNKNOWN_HERE:
            raise
        return refused


def _merge(context: Context, sharing: Sharing, own: Any, replies: Sequence[RelayedReply]) -> Any:
    """Return the result of a procedure. ``own`` is the value or error of the home.

    Raises RequestRefused if no node has returned a value. Invalid replies are ignored; a node with another version of
    this program could send them.
    """
    values: list[Any] = []
    refusals: list[RequestRefused] = []
    if isinstance(own, RequestRefused):
        refusals.append(own)
    else:
        values.append(own.compute() if type(own) is LargeResult else own)
    for reply in replies:
        try:
            (value,) = convert(context.environment.values_of(reply.payload_format, received_payload(reply.args)), list)
            if reply.uri is None:
                values.append(convert(value, sharing.kind))
            else:
                refusals.append(RequestRefused(reply.uri, str(value)))
        except (PayloadError, ValidationError, ValueError):
            continue
    if values:
        return sharing.merge(values)
    raise min(refusals, key=_rank)


def _rank(refused: RequestRefused) -> int:
    return UNKNOWN_HERE.index(refused.uri) if refused.uri in UNKNOWN_HERE else len(UNKNOWN_HERE)


def answer_question(context: Context, question: RelayedQuestion) -> RelayedReply:
    """Return the reply to a question of another node. That node has checked the caller's permission."""
    identity = question.caller
    caller = RemoteCaller(identity.session_id, identity.authid, identity.authrole, question.realm, question.transport)
    environment = context.environment
    uri = None
    try:
        if question.procedure not in SHARED or not context.broker.options.enable_meta_api:
            raise RequestRefused(errors.NO_SUCH_PROCEDURE, f"no procedure {question.procedure!r} is registered")
        payload = received_payload(question.args), received_payload(question.kwargs)
        arguments = read_arguments(context, question.payload_format, *payload)
        value = PROCEDURES[question.procedure](context, caller, arguments)
        args = environment.serialize([value.compute() if type(value) is LargeResult else value], SERIALIZED)
    except (RequestRefused, PayloadError) as refused:
        uri, args = refused.uri, environment.serialize([str(refused)], SERIALIZED)
    return RelayedReply(question.realm, question.question_id, uri, SERIALIZED, args)
