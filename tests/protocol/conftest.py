"""Every scenario runs over every serializer, on a router in memory; ``pytest`` alone runs it over one.

The modules in PLACED also run on clusters of two and three nodes. Each new peer is connected to the next node in turn.
These cases are marked ``long`` and ``full``.
"""

from collections.abc import Callable

import pytest

from wamp_transport.testing.memory import MemoryNode, MemoryPeer, anonymous_options
from wamp_transport.testing.memory_cluster import MemoryCluster

PLACED = {
    "test_publish_subscribe",
    "test_pattern_based_subscription",
    "test_publisher_exclusion",
    "test_publisher_identification",
    "test_subscriber_blackwhite_listing",
    "test_sharded_subscription",
    "test_event_retention",
    "test_event_history",
    "test_publication_trustlevels",
    "test_payload_passthru_mode",
    "test_subscription_meta_api",
    "test_session_meta_api",
    "test_subscription_revocation",
    "test_testament_meta_api",
    "test_call_canceling",
    "test_call_reroute",
    "test_call_timeout",
    "test_call_trustlevels",
    "test_caller_identification",
    "test_pattern_based_registration",
    "test_payload_transparency",
    "test_progressive_call_invocations",
    "test_progressive_call_results",
    "test_registration_meta_api",
    "test_registration_revocation",
    "test_remote_procedure_calls",
    "test_sharded_registration",
    "test_shared_registration",
    "test_authorization_rules",
    "test_dynamic_authorization",
    "test_identifiers",
    "test_limits",
    "test_permissions",
    "test_predefined_uris",
    "test_protocol_violations",
    "test_serializations",
    "test_sessions",
    "test_uris",
    "test_vectors",
}
"""The modules whose tests also run on several nodes."""

LOOKS_INSIDE = {
    "test_durable_history_is_recorded_and_restored",
    "test_publication_is_acknowledged_when_it_is_stored",
    "test_publication_is_acknowledged_when_all_synced_histories_have_it",
    "test_session_that_has_left_gets_no_late_answer",
    "test_history_that_is_not_durable_leaves_no_records",
    "test_shard_of_a_session_in_cleanup_gets_no_events",
    "test_session_in_cleanup_is_not_active",
    "test_other_sessions_are_served_during_a_large_cleanup",
    "test_session_beyond_the_limit_of_the_realm_is_refused",
    "test_meta_procedures_of_a_single_node_need_no_room_for_calls_in_flight",
    "test_callee_that_is_leaving_hides_no_other",
    "test_registration_of_leaving_callees_only_is_free",
    "test_lost_transport_leaves_nothing_behind",
    "test_close_reasons",
    "test_changed_limits_reach_running_sessions",
    "test_session_that_unsubscribes_during_the_review_is_not_notified",
    "test_session_that_leaves_during_the_review_is_cleaned_up_once",
    "test_revocation_goes_in_slices",
}
"""Tests in these modules that control a single node."""

PER_NODE = {
    "test_sessions_of_a_role_and_a_service_are_counted",
    "test_decision_is_remembered_for_the_role",
}
"""Tests of limits on the number of sessions, and of the cache of authorizers' decisions. Each node has its own."""

WITHOUT_ROUTER = {
    "test_vectors_are_there",
    "test_every_encoding_of_a_sample_is_read",
    "test_message_is_transcoded_between_serializers",
    "test_validation_samples_are_taken_or_refused",
}
"""Tests in these modules that need no router."""

ONE_NODE = LOOKS_INSIDE | PER_NODE | WITHOUT_ROUTER

PLACEMENTS = [1, *(pytest.param(size, marks=[pytest.mark.long, pytest.mark.full]) for size in (2, 3))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.rpartition(".")[2]
    if module in PLACED and metafunc.function.__name__ not in ONE_NODE:
        metafunc.parametrize("placement", PLACEMENTS, indirect=True, ids="{}-nodes".format)
    has_own = any("serializer" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize"))
    if "serializer" in metafunc.fixturenames and not has_own:
        is_short = "not long" in metafunc.config.option.markexpr
        metafunc.parametrize("serializer", ["json"] if is_short else ["json", "msgpack", "cbor"])


@pytest.fixture(autouse=True)
def placement(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of nodes. If there are several, a cluster takes the place of the node that a test starts."""
    size: int = getattr(request, "param", 1)
    if size > 1:
        monkeypatch.setattr(request.module, "MemoryNode", lambda options: MemoryCluster(options, size), raising=False)
    return size


@pytest.fixture
def node(placement: int) -> MemoryNode | MemoryCluster:
    """A router with two realms in which everything is allowed."""
    options = anonymous_options("realm1", "realm2")
    return MemoryNode(options) if placement == 1 else MemoryCluster(options, placement)


@pytest.fixture
def peer(node: MemoryNode, serializer: str) -> MemoryPeer:
    """A peer before its HELLO."""
    return node.connect(serializer)


@pytest.fixture
def join(node: MemoryNode, serializer: str) -> Callable[[], MemoryPeer]:
    """Makes a peer with a session in ``realm1``."""
    return lambda: node.join("realm1", serializer)


@pytest.fixture
def alice(join: Callable[[], MemoryPeer]) -> MemoryPeer:
    """A peer in ``realm1``."""
    return join()


@pytest.fixture
def bob(join: Callable[[], MemoryPeer]) -> MemoryPeer:
    """Another peer in ``realm1``."""
    return join()
