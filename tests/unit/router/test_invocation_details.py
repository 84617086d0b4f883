from types import SimpleNamespace

import pytest

from wamp_transport.router.invocation_details import (
    NO_DETAILS,
    part_details,
    part_options,
    received_details,
    relayed_options,
)
from wamp_transport.router.relayed import Identity, RelayedCall
from wamp_transport.wamp.messages import CallOptions, InvocationDetails

DETAILS = [
    InvocationDetails(),
    InvocationDetails(timeout=500, receive_progress=True, progress=True, transaction_hash="h"),
    InvocationDetails(ppt_scheme="wamp", ppt_serializer="cbor", ppt_cipher="c", ppt_keyid="k"),
    InvocationDetails(enc_algo="cryptobox", enc_key="k", enc_serializer="json", trustlevel=3),
    InvocationDetails(caller=7, caller_authid="alice", caller_authrole="user"),
    InvocationDetails(procedure="com.example.procedure"),
]


def relayed(details):
    """The message to the callee's node for a call with these details."""
    caller = None
    if details.caller is not None:
        caller = Identity(details.caller, details.caller_authid, details.caller_authrole)
    options = relayed_options(details)
    return RelayedCall("realm1", 1, 2, 3, "com.example.procedure", caller, details.trustlevel, options, 0.0, "json")


@pytest.mark.parametrize("details", DETAILS)
def test_details_arrive_at_the_callees_node(details):
    match = "exact" if details.procedure is None else "prefix"
    assert received_details(relayed(details), match) == details


def test_plain_call_needs_no_new_objects():
    assert relayed_options(NO_DETAILS) is None
    assert received_details(relayed(NO_DETAILS), "exact") is NO_DETAILS


@pytest.mark.parametrize("progress", [True, None])
def test_part_has_its_own_progress_and_encryption(progress):
    record = SimpleNamespace(details=InvocationDetails(progress=True, receive_progress=True, enc_key="first"))
    options = CallOptions(progress=progress, enc_key="second", timeout=5)
    expected = InvocationDetails(progress=progress, receive_progress=True, enc_key="second")
    assert part_details(record, options) == expected
    assert part_details(record, part_options(expected)) == expected
