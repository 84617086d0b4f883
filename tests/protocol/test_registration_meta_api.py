"""Advanced Profile, "Registration Meta API"."""

from dataclasses import replace

import pytest

from wamp_transport.testing.memory import MemoryNode, anonymous_options

from .codes import CALL, ERROR, EVENT, NO_SUCH_PROCEDURE, REGISTER, RESULT, SUBSCRIBE, UNREGISTER

PROCEDURE = "com.example.procedure"
EVENTS = ["on_create", "on_register", "on_unregister", "on_delete"]


@pytest.fixture
def meta(join):
    """Calls ``wamp.registration.<name>``; returns its one result, or the URI of the error."""
    caller = join()
    request_ids = iter(range(1, 1000))

    def call(name, *args, **kwargs):
        request_id = next(request_ids)
        answer = caller.request([CALL, request_id, {}, f"wamp.registration.{name}", list(args), kwargs])
        if answer[0] == ERROR:
            assert answer[:4] == [ERROR, CALL, request_id, {}]
            return answer[4]
        assert answer[:3] == [RESULT, request_id, {}]
        (value,) = answer[3]
        return value

    return call


@pytest.fixture
def events(join):
    """What a subscriber of all events has got since the last time: name and arguments."""
    listener = join()
    topics = {
        listener.request([SUBSCRIBE, number, {}, f"wamp.registration.{name}"])[2]: name
        for number, name in enumerate(EVENTS, 1)
    }
    return lambda: [(topics[event[1]], *event[4]) for event in listener.receive_all() if event[0] == EVENT]


def registered(peer, procedure=PROCEDURE, request_id=1, **options):
    return peer.request([REGISTER, request_id, options, procedure])[2]


def test_list_names_all_registrations_by_match(alice, bob, meta):
    assert meta("list") == {"exact": [], "prefix": [], "wildcard": []}
    ids = {
        match: [registered(alice, f"com.{match}.x{number}", match=match) for number in range(2)]
        for match in ("exact", "prefix", "wildcard")
    }
    ids["exact"].append(registered(bob, "com.bob"))
    assert meta("list") == ids


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
def test_lookup_finds_just_this_pattern(alice, meta, match):
    registration = registered(alice, match=match)
    assert meta("lookup", PROCEDURE, {"match": match}) == registration
    assert meta("lookup", f"{PROCEDURE}.sub", {"match": match}) is None
    assert meta("lookup", PROCEDURE) == (registration if match == "exact" else None)
    assert meta("lookup", PROCEDURE, None) == meta("lookup", PROCEDURE, {})
    others = {"exact", "prefix", "wildcard"} - {match}
    assert [meta("lookup", PROCEDURE, {"match": other}) for other in others] == [None, None]


def test_match_finds_the_registration_that_a_call_reaches(alice, meta):
    prefix = registered(alice, "com.example", match="prefix")
    wildcard = registered(alice, "com..procedure", match="wildcard")
    assert meta("match", PROCEDURE) == prefix
    assert meta("match", "com.other.procedure") == wildcard
    assert meta("match", "org.example") is None
    exact = registered(alice, PROCEDURE)
    assert meta("match", PROCEDURE) == exact


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
@pytest.mark.parametrize("invoke", [None, "roundrobin"])
def test_get_returns_the_details(alice, meta, node, match, invoke):
    node.pass_time(5)
    registration = registered(alice, match=match, invoke=invoke)
    details = meta("get", registration)
    assert details.pop("created").startswith("2026-01-01T00:00:05")
    assert details == {"id": registration, "uri": PROCEDURE, "match": match, "invoke": invoke or "single"}


def test_callees_are_listed_and_counted(alice, bob, meta):
    for peer in (alice, bob):
        registration = registered(peer, invoke="first")
    assert meta("list_callees", registration) == [alice.session_id, bob.session_id]
    assert meta("count_callees", registration) == 2
    alice.lose()
    assert meta("list_callees", registration) == [bob.session_id]
    assert meta("count_callees", registration) == 1
    bob.request([UNREGISTER, 2, registration])
    assert meta("list_callees", registration) == "wamp.error.no_such_registration"


def test_callee_is_removed(alice, bob, meta):
    for peer in (alice, bob):
        registration = registered(peer, invoke="first")
    assert meta("remove_callee", registration, alice.session_id, reason="com.example.why") is None
    assert meta("list_callees", registration) == [bob.session_id]
    assert meta("remove_callee", registration, alice.session_id) == "wamp.error.no_such_session"
    assert meta("remove_callee", registration, bob.session_id) is None
    assert meta("list") == {"exact": [], "prefix": [], "wildcard": []}


@pytest.mark.parametrize("name", ["get", "list_callees", "count_callees", "remove_callee"])
def test_registration_that_is_not_there_is_an_error(meta, alice, name):
    assert meta(name, 12345, alice.session_id) == "wamp.error.no_such_registration"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("lookup", []), ("lookup", [1]), ("lookup", [PROCEDURE, "exact"]), ("lookup", [PROCEDURE, {"match": "some"}]),
        ("match", []), ("match", [None]), ("get", []), ("get", ["1"]), ("get", [-1]), ("get", [True]),
        ("list_callees", []), ("count_callees", [1.5]), ("remove_callee", []), ("remove_callee", [{}, 1]),
    ],
)  # fmt: skip
def test_argument_that_is_wrong_or_missing_is_an_error(meta, name, args):
    assert meta(name, *args) == "wamp.error.invalid_argument"


def test_remove_callee_wants_a_session(alice, meta):
    registration = registered(alice)
    assert meta("remove_callee", registration) == "wamp.error.invalid_argument"
    assert meta("remove_callee", registration, "alice") == "wamp.error.invalid_argument"


def test_events_of_a_registration_are_published_in_order(alice, bob, meta, events):
    registration = registered(alice, invoke="roundrobin")
    details = meta("get", registration)
    registered(bob, invoke="roundrobin")
    assert events() == [
        ("on_create", alice.session_id, details),
        ("on_register", alice.session_id, registration),
        ("on_register", bob.session_id, registration),
    ]
    alice.request([UNREGISTER, 2, registration])
    bob.request([UNREGISTER, 2, registration])
    assert events() == [
        ("on_unregister", alice.session_id, registration),
        ("on_unregister", bob.session_id, registration),
        ("on_delete", bob.session_id, registration),
    ]


def test_leaving_publishes_an_event_for_each_registration(alice, events):
    ids = [registered(alice, f"com.x{number}") for number in range(2)]
    events()
    alice.lose()
    assert sorted(events(), key=lambda event: ids.index(event[2])) == [
        (name, alice.session_id, registration) for registration in ids for name in ("on_unregister", "on_delete")
    ]


def test_removal_of_a_callee_is_published(alice, meta, events):
    registration = registered(alice)
    events()
    meta("remove_callee", registration, alice.session_id)
    assert events() == [
        ("on_unregister", alice.session_id, registration),
        ("on_delete", alice.session_id, registration),
    ]


def test_second_registration_by_the_same_session_is_not_published(alice, events):
    registered(alice, invoke="first")
    events()
    registered(alice, request_id=2, invoke="first")
    assert events() == []


def test_refused_registration_is_not_published(alice, bob, events):
    registered(alice)
    events()
    assert bob.request([REGISTER, 1, {}, PROCEDURE])[0] == ERROR
    assert bob.request([UNREGISTER, 2, 12345])[0] == ERROR
    assert events() == []


def test_answer_comes_before_the_events_of_ones_own(alice):
    for number, name in enumerate(EVENTS, 1):
        alice.request([SUBSCRIBE, number, {}, f"wamp.registration.{name}"])
    alice.send([REGISTER, 5, {}, PROCEDURE])
    messages = alice.receive_all()
    assert [message[0] for message in messages] == [REGISTER + 1, EVENT, EVENT]
    alice.send([UNREGISTER, 6, messages[0][2]])
    assert [message[0] for message in alice.receive_all()] == [UNREGISTER + 1, EVENT, EVENT]


def test_realms_do_not_see_each_other(node, serializer, alice, meta, events):
    other = node.join("realm2", serializer)
    registration = registered(other)
    assert events() == []
    assert meta("list")["exact"] == []
    assert meta("get", registration) == "wamp.error.no_such_registration"


def test_realm_without_the_meta_api_has_none(serializer):
    options = anonymous_options("realm1")
    realm = replace(options.realms["realm1"], enable_meta_api=False)
    node = MemoryNode(replace(options, realms={"realm1": realm}))
    alice, bob = node.join("realm1", serializer), node.join("realm1", serializer)
    alice.request([SUBSCRIBE, 1, {"match": "prefix"}, "wamp."])
    registered(bob)
    assert not alice.inbox
    assert alice.request([CALL, 2, {}, "wamp.registration.list"])[4] == NO_SUCH_PROCEDURE


def test_session_in_cleanup_is_not_active(node, alice, bob, join):
    carol = join()
    policy = {"invoke": "roundrobin"}
    shared = alice.request([REGISTER, 1, policy, "com.example.shared"])[2]
    own = alice.request([REGISTER, 2, {}, "com.example.own"])[2]
    assert bob.request([REGISTER, 1, policy, "com.example.shared"])[2] == shared
    pattern = bob.request([REGISTER, 2, {"match": "prefix"}, "com.example."])[2]
    node.runs_cleanup = False
    leaving = alice.session_id
    alice.lose()
    asked = iter(range(10, 30))

    def ask(name, *args):
        return carol.request([CALL, next(asked), {}, f"wamp.registration.{name}", list(args)])

    assert ask("list_callees", shared)[3] == [[bob.session_id]]
    assert ask("count_callees", shared)[3] == [1]
    assert ask("remove_callee", shared, leaving)[4] == "wamp.error.no_such_session"
    for name in ("get", "list_callees", "count_callees"):
        assert ask(name, own)[4] == "wamp.error.no_such_registration"
    assert ask("lookup", "com.example.own")[3] == [None]
    assert ask("match", "com.example.own")[3] == [pattern]
    assert ask("list")[3] == [{"exact": [shared], "prefix": [pattern], "wildcard": []}]
