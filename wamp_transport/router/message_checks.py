"""Check a message against the limits of its sender and the features that the sender announced."""

from collections.abc import Callable
from typing import Any, Final

from ..wamp import errors
from ..wamp.errors import ProtocolViolation, RequestRefused
from ..wamp.messages import CallOptions, RegisterOptions, SubscribeOptions
from ..wamp.payload import TOO_DEEP, InvalidPayload
from ..wamp.uris import component_excess
from .records import Peer, Session

CANCELING: Final = ("call_canceling", "call_cancelling")
"""The two spellings of the feature "call canceling" in the specification."""
MAX_NODE_KEY_LENGTH: Final = 255
"""Maximum length of a node key in characters. The router stores the node key of each subscriber and callee."""
PASSTHRU: Final = "payload_passthru_mode"
PROGRESSIVE_CALLS: Final = "progressive_call_invocations"
PROGRESSIVE_RESULTS: Final = "progressive_call_results"


def check_sizes(session: Session, uri: str, message: Any, is_deeper: Callable[[str, Any, int], bool]) -> None:
    """Check a message against the limits of its sender. Raises RequestRefused.

    Callers can skip this check if URI and payload together are not longer than the session's ``unchecked_size``.
    """
    limits = session.limits
    if len(uri) > limits.uri_length:
        raise limits.refusal("uri_length")
    args, kwargs = message.args, message.kwargs
    if args is TOO_DEEP:
        raise limits.refusal("depth")
    if type(args) is InvalidPayload:
        raise RequestRefused(errors.INVALID_PAYLOAD, f"invalid payload: {args.reason}")
    if len(args) + len(kwargs) > limits.payload_size:
        raise limits.refusal("payload_size")
    for part in (args, kwargs):
        # Each level takes at least one byte, so a shorter payload cannot be too deep.
        if len(part) > limits.depth and is_deeper(session.payload_format, part, limits.depth):
            raise limits.refusal("depth")


def check_pattern(session: Session, uri: str, match: str) -> None:
    """Check the URI or pattern of a request against the limits on length and components. Raises RequestRefused."""
    if len(uri) > session.limits.uri_length:
        raise session.limits.refusal("uri_length")
    excess = component_excess(uri, match)
    if excess:
        raise RequestRefused(errors.INVALID_URI, excess)


def check_node_key(options: SubscribeOptions | RegisterOptions) -> None:
    """Check the length of the node key of a sharded subscription or registration. Raises RequestRefused."""
    if options.nkey is not None and len(options.nkey) > MAX_NODE_KEY_LENGTH:
        raise RequestRefused(errors.INVALID_ARGUMENT, f"nkey has more than {MAX_NODE_KEY_LENGTH} characters")


def check_announced(session: Peer, role: str, options: Any, name: str) -> None:
    """If a message uses payload passthru mode, check that its sender has announced this feature for ``role``.

    ``options`` are the options or details of the message, and ``name`` is its type. Raises ProtocolViolation.
    """
    if options.ppt_scheme is not None and not session.has(role, PASSTHRU):
        raise ProtocolViolation(f"{name} uses ppt_scheme without the feature {PASSTHRU} announced for {role}")


def check_call_options(session: Peer, options: CallOptions, *, is_strict: bool) -> None:
    """Check that a caller announced the features it uses: passthru mode and, in a strict realm, progressive calls.

    Raises ProtocolViolation.
    """
    check_announced(session, "caller", options, "CALL")
    if options.progress and is_strict and not session.has("caller", PROGRESSIVE_CALLS):
        raise ProtocolViolation(f"CALL.options.progress without the feature {PROGRESSIVE_CALLS} announced")


def check_progress_supported(callee: Peer, *, is_strict: bool) -> None:
    """Check that a callee supports progressive calls. Raises RequestRefused.

    If the realm is strict, the callee must have announced both progressive calls and call canceling. Otherwise, a
    callee that announced only progressive calls is also accepted. A callee that announced neither feature is accepted
    too, because some clients, such as wampy.js, support both without announcing them.

    A callee that announced only call canceling, such as Autobahn|Python, is always refused. Autobahn|Python closes its
    connection when it receives a second INVOCATION with the same id, so any caller could disconnect it.
    """
    supports, can_cancel = callee.has("callee", PROGRESSIVE_CALLS), callee.has("callee", *CANCELING)
    if not (supports and can_cancel if is_strict else supports or not can_cancel):
        raise RequestRefused(errors.FEATURE_NOT_SUPPORTED, f"the callee does not support {PROGRESSIVE_CALLS}")


def passes_progress(caller: Peer, callee: Peer, *, is_strict: bool) -> bool:
    """Return whether to pass the caller's request for progressive results on to the callee.

    If the realm is not strict, always return True. If it is strict, caller and callee must have announced progressive
    results, and the callee must also have announced call canceling.
    """
    if not is_strict:
        return True
    return (
        caller.has("caller", PROGRESSIVE_RESULTS)
        and callee.has("callee", PROGRESSIVE_RESULTS)
        and callee.has("callee", *CANCELING)
    )
