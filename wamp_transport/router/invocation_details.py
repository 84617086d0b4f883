"""Determine the details of INVOCATION messages.

For calls between nodes, convert the details to CALL options in the message to the callee's node, and back.
"""

from typing import Final

from msgspec.structs import replace

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.messages import Call, CallOptions, InvocationDetails
from ..wamp.payload import copy_passthru_attributes, uses_passthru
from .message_checks import PASSTHRU, check_progress_supported, passes_progress
from .options import Match, RealmOptions
from .records import Callee, CallPeer, CallRecord, Registration
from .relayed import RelayedCall

NO_DETAILS: Final = InvocationDetails()
NO_CALL_OPTIONS: Final = CallOptions()


def invocation_details(
    realm: RealmOptions, caller: CallPeer, message: Call, registration: Registration, callee: Callee, disclose: bool
) -> InvocationDetails:
    """Return the details of the INVOCATION for a call.

    ``disclose`` is true if the permissions or the authorizer of the caller's role disclose the caller's identity.
    Raises RequestRefused if the callee does not support what the call requires, or if the caller may not disclose
    itself.
    """
    options = message.options
    peer = callee.peer
    if uses_passthru(options) and not peer.has("callee", PASSTHRU):
        raise RequestRefused(errors.FEATURE_NOT_SUPPORTED, f"the callee does not support {PASSTHRU}")
    is_strict = realm.strict_progress
    if options.progress:
        check_progress_supported(peer, is_strict=is_strict)
    wants_progress = options.receive_progress and passes_progress(caller, peer, is_strict=is_strict)
    details = InvocationDetails(
        procedure=None if registration.match == "exact" else message.procedure,
        progress=True if options.progress else None,
        receive_progress=wants_progress or None,
        timeout=options.timeout if callee.forward_timeout else None,
        trustlevel=caller.trustlevel,
        transaction_hash=options.transaction_hash,
    )
    copy_passthru_attributes(options, details)
    if options.disclose_me and not realm.allow_disclose_me:
        raise RequestRefused(errors.OPTION_DISALLOWED_DISCLOSE_ME, "disclosing oneself is not allowed here")
    if disclose or options.disclose_me or callee.disclose_caller:
        details.caller = caller.id
        details.caller_authid = caller.authid
        details.caller_authrole = caller.authrole
    return details


def part_details(record: CallRecord, options: CallOptions) -> InvocationDetails:
    """Return the details of the INVOCATION for a further CALL message of a progressive call.

    The options of the first CALL apply to the whole call, with two exceptions: the options ``enc_*`` describe the
    payload of each CALL, and ``progress`` is absent in the last one.
    """
    return replace(
        record.details or NO_DETAILS,
        progress=options.progress or None,
        enc_algo=options.enc_algo,
        enc_key=options.enc_key,
        enc_serializer=options.enc_serializer,
    )


def relayed_options(details: InvocationDetails) -> CallOptions | None:
    """Return the CALL options to send to the callee's node; None for :data:`NO_DETAILS`.

    :func:`received_details` converts them back.
    """
    if details is NO_DETAILS:
        return None
    options = CallOptions(
        timeout=details.timeout,
        receive_progress=details.receive_progress,
        progress=details.progress,
        transaction_hash=details.transaction_hash,
    )
    return copy_passthru_attributes(details, options)


def part_options(details: InvocationDetails) -> CallOptions:
    """Return the CALL options that :func:`part_details` needs on the callee's node."""
    return CallOptions(
        progress=details.progress,
        enc_algo=details.enc_algo,
        enc_key=details.enc_key,
        enc_serializer=details.enc_serializer,
    )


def received_details(message: RelayedCall, match: Match) -> InvocationDetails:
    """Return the details of the INVOCATION for a call from another node. ``match`` is that of the registration."""
    options, caller = message.options, message.caller
    if options is None and caller is None and message.trustlevel is None and match == "exact":
        return NO_DETAILS
    options = NO_CALL_OPTIONS if options is None else options
    details = InvocationDetails(
        procedure=None if match == "exact" else message.procedure,
        progress=options.progress,
        receive_progress=options.receive_progress,
        timeout=options.timeout,
        trustlevel=message.trustlevel,
        transaction_hash=options.transaction_hash,
    )
    copy_passthru_attributes(options, details)
    if caller is not None:
        details.caller = caller.session_id
        details.caller_authid = caller.authid
        details.caller_authrole = caller.authrole
    return details
