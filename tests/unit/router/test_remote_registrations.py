"""Registrations that the nodes of a cluster share: requests, answers, changes of the table, and meta events."""

from dataclasses import replace

import pytest

from wamp_transport.router.decisions import Deny, RegistrationAdded, RegistrationRefused
from wamp_transport.router.effects import ReleaseRegistration, RequestRegistration, Send, Withdraw
from wamp_transport.router.options import Limits, Permission, RoleOptions
from wamp_transport.router.relayed import CalleeDetails, CalleeEntry, RegistrationChange
from wamp_transport.router.remote_registrations import REQUEST_SECONDS, RegistrationSuspension
from wamp_transport.router.router import Router
from wamp_transport.testing.memory import ALL_ROLES, OPEN_SERVICE, anonymous_options, take_effects
from wamp_transport.testing.memory_cluster import MemoryCluster
from wamp_transport.wamp.messages import (
    Call,
    CallOptions,
    ClientRole,
    Error,
    Hello,
    HelloDetails,
    Invocation,
    Register,
    Registered,
    RegisterOptions,
    Unregister,
    Unregistered,
)

PROCEDURE = "com.example.procedure"
FIRST, SINGLE = RegisterOptions(invoke="first"), RegisterOptions()
REGISTER, UNREGISTER, SUBSCRIBE, EVENT, ERROR, REGISTERED, CALL, INVOCATION = 64, 66, 32, 36, 8, 65, 48, 68


@pytest.fixture
def router(environment):
    """A router that has one other node, ``b``. Its requests are answered by the test."""
    router = Router(anonymous_options("realm1"), environment, is_clustered=True)
    router.cluster.add_member("b")
    return router


def joined(router, *features):
    session_id = router.open_session(OPEN_SERVICE, "json")
    roles = {**{name: ClientRole() for name in ALL_ROLES}, "callee": ClientRole(dict.fromkeys(features, True))}
    router.receive(session_id, Hello("realm1", HelloDetails(roles=roles)))
    take_effects(router)
    return session_id


def sent(router):
    """Return the messages that the router sends, with their receivers."""
    return [(each.recipients[0], each.message) for each in take_effects(router) if isinstance(each, Send)]


def requested(router, session_id, options=SINGLE, procedure=PROCEDURE, request_id=1):
    router.receive(session_id, Register(request_id, options, procedure))
    (request,) = (each for each in take_effects(router) if isinstance(each, RequestRegistration))
    return request


def registered(router, session_id, number=1, **arguments):
    request = requested(router, session_id, **arguments)
    router.decide(request.ticket, RegistrationAdded(number, "now"))
    return request, sent(router)


def added(session_id, number=1, invoke="single", node="b", procedure=PROCEDURE, **details):
    entry = CalleeEntry(number, invoke, "then", CalleeDetails("anonymous", **details))
    return RegistrationChange("add", node, "realm1", "exact", procedure, session_id, entry)


def removed(session_id, node="b"):
    return RegistrationChange("remove", node, "realm1", "exact", PROCEDURE, session_id)


def revoked(session_id):
    return RegistrationChange("revoke", "", "realm1", "exact", PROCEDURE, session_id)


def callees(router, procedure=PROCEDURE):
    registration = router.realms["realm1"].dealer.lookup("exact", procedure)
    return None if registration is None else list(registration.callees)


# --- REGISTER ---


def test_register_waits_for_the_table(router):
    session = joined(router, "call_canceling", "call_reroute")
    options = RegisterOptions(invoke="roundrobin", concurrency=4, nkey="k", disclose_caller=True, forward_timeout=True)
    request = requested(router, session, options)
    assert (request.session_id, request.realm, request.match, request.procedure) == (
        session, "realm1", "exact", PROCEDURE,
    )  # fmt: skip
    assert (request.invoke, request.is_forced) == ("roundrobin", False)
    features = ("call_canceling", "call_reroute")
    assert request.details == CalleeDetails("anonymous", features, 4, "k", disclose_caller=True, forward_timeout=True)
    assert callees(router) is None
    router.receive(session, Call(2, CallOptions(), PROCEDURE))
    assert not sent(router)
    router.decide(request.ticket, RegistrationAdded(1, "2026-01-01"))
    (_, answer), (_, invocation) = sent(router)
    registration = router.realms["realm1"].dealer.lookup("exact", PROCEDURE)
    assert answer == Registered(1, registration.id)
    assert isinstance(invocation, Invocation)
    assert (registration.invoke, registration.created, registration.callees[session].number) == (
        "roundrobin", "2026-01-01", 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "uri"),
    [
        ("exists", "wamp.error.procedure_already_exists"),
        ("policy", "wamp.error.procedure_exists_with_different_invocation_policy"),
        ("unavailable", "wamp.error.unavailable"),
    ],
)
def test_refused_register_is_an_error(router, status, uri):
    session = joined(router)
    request = requested(router, session)
    router.decide(request.ticket, RegistrationRefused(status))
    ((_, error),) = sent(router)
    assert (type(error), error.error) == (Error, uri)
    assert callees(router) is None
    requested(router, session, request_id=2)


def test_request_without_an_answer_fails(router, world):
    session = joined(router)
    request = requested(router, session)
    world.now += REQUEST_SECONDS + 1
    router.advance(world.now)
    effects = take_effects(router)
    assert [each.ticket for each in effects if isinstance(each, Withdraw)] == [request.ticket]
    assert effects[-1].message.error == "wamp.error.unavailable"
    assert RegistrationSuspension(request).resolve(Deny()) == RegistrationRefused("unavailable")


def test_request_of_a_session_that_leaves_is_withdrawn(router):
    session = joined(router)
    request = requested(router, session)
    router.close_session(session)
    assert [each.ticket for each in take_effects(router) if isinstance(each, Withdraw)] == [request.ticket]
    router.decide(request.ticket, RegistrationAdded(1, ""))
    assert callees(router) is None


def test_changed_permissions_apply_to_a_waiting_register(router):
    session = joined(router)
    request = requested(router, session)
    options = anonymous_options("realm1")
    role = RoleOptions("anonymous", (Permission(PROCEDURE),), allow_by_default=True)
    realm = replace(options.realms["realm1"], roles={"anonymous": role})
    router.configure(replace(options, realms={"realm1": realm}))
    effects = take_effects(router)
    assert [each.ticket for each in effects if isinstance(each, Withdraw)] == [request.ticket]
    assert effects[-1].message.error == "wamp.error.not_authorized"


def test_second_register_of_a_session_does_not_need_the_table(router):
    session = joined(router)
    _, ((_, first),) = registered(router, session, options=FIRST)
    router.receive(session, Register(2, FIRST, PROCEDURE))
    assert sent(router) == [(session, Registered(2, first.registration_id))]
    router.receive(session, Register(3, SINGLE, PROCEDURE))
    ((_, error),) = sent(router)
    assert error.error == "wamp.error.procedure_exists_with_different_invocation_policy"


def test_session_that_replaces_itself_leaves_the_table_first(router):
    session = joined(router, "registration_revocation")
    registered(router, session, options=FIRST)
    router.receive(session, Register(2, RegisterOptions(force_reregister=True), PROCEDURE))
    effects = take_effects(router)
    kinds = [type(each.message) if isinstance(each, Send) else type(each) for each in effects]
    assert kinds == [Unregistered, ReleaseRegistration, RequestRegistration]
    assert effects[-1].is_forced


def test_limit_of_registrations_holds(router):
    options = anonymous_options("realm1")
    realm = replace(options.realms["realm1"], limits=Limits(registrations=1))
    router.configure(replace(options, realms={"realm1": realm}))
    session = joined(router)
    registered(router, session)
    router.receive(session, Register(2, SINGLE, "com.other"))
    ((_, error),) = sent(router)
    assert error.error == "wamp.error.quota_exceeded"


@pytest.mark.parametrize("how", ["unregister", "leave"])
def test_removed_callee_is_released(router, how):
    session = joined(router)
    _, ((_, answer),) = registered(router, session)
    if how == "unregister":
        router.receive(session, Unregister(2, answer.registration_id))
    else:
        router.close_session(session)
        router.run_cleanup(10)
    released = [each for each in take_effects(router) if isinstance(each, ReleaseRegistration)]
    assert released == [ReleaseRegistration(session, "realm1", "exact", PROCEDURE)]
    assert callees(router) is None


def test_callee_that_is_leaving_makes_room(router):
    old, new = joined(router), joined(router)
    registered(router, old)
    router.close_session(old)
    take_effects(router)
    router.receive(new, Register(1, SINGLE, PROCEDURE))
    kinds = [type(each) for each in take_effects(router)]
    assert kinds == [ReleaseRegistration, RequestRegistration]


# --- changes of the table ---


def test_callees_of_other_nodes_are_in_their_place(router):
    session = joined(router)
    calls = router.cluster.calls
    calls.change_registrations([added(901, number=3, invoke="first", concurrency=2)])
    registered(router, session, number=2, options=FIRST)
    calls.change_registrations([added(902, number=1, invoke="first")])
    assert callees(router) == [902, session, 901]
    registration = router.realms["realm1"].dealer.lookup("exact", PROCEDURE)
    assert registration.created == "then"
    callee = registration.callees[901]
    assert (callee.concurrency, callee.peer.authrole, callee.peer.remote) == (2, "anonymous", callee.peer)
    calls.change_registrations([removed(902), removed(901), removed(999)])
    assert callees(router) == [session]
    assert not router.cluster.calls.realm("realm1").nodes["b"].peers


def test_changed_callee_is_replaced(router):
    calls = router.cluster.calls
    calls.change_registrations([added(901, invoke="first")])
    calls.change_registrations([removed(901), added(901, number=5, invoke="last", forward_timeout=True)])
    registration = router.realms["realm1"].dealer.lookup("exact", PROCEDURE)
    assert (registration.invoke, list(registration.callees)) == ("last", [901])
    assert (registration.callees[901].number, registration.callees[901].forward_timeout) == (5, True)


def test_callees_of_strangers_and_own_ones_are_not_added(router):
    calls = router.cluster.calls
    calls.change_registrations([added(901, node="stranger"), added(902, node="")])
    assert callees(router) is None


def test_removed_node_takes_its_callees_along(router):
    calls = router.cluster.calls
    calls.change_registrations([added(901), added(902, procedure="com.other")])
    router.cluster.remove_member("b")
    assert callees(router) is None
    assert callees(router, "com.other") is None


def test_table_does_not_remove_a_callee_that_this_node_holds(router):
    session = joined(router)
    registered(router, session)
    router.cluster.calls.change_registrations([removed(session, node="")])
    assert callees(router) == [session]


@pytest.mark.parametrize("features", [(), ("registration_revocation",)])
def test_revoked_callee_is_notified(router, features):
    session = joined(router, *features)
    registered(router, session)
    changes = [added(901), revoked(session), removed(session, node="")]
    router.cluster.calls.change_registrations(changes)
    assert callees(router) == [901]
    effects = take_effects(router)
    assert not [each for each in effects if isinstance(each, ReleaseRegistration)]
    assert [type(each.message) for each in effects if isinstance(each, Send)] == [Unregistered] * len(features)
    router.cluster.calls.change_registrations([revoked(session), revoked(901)])
    assert callees(router) == [901]


def test_realm_that_is_closed_and_opened_again_keeps_the_callees_of_others(router):
    session = joined(router)
    calls = router.cluster.calls
    calls.change_registrations([added(901, number=1, invoke="first", features=("call_reroute",), node_key="k")])
    registered(router, session, number=2, options=FIRST)
    before = router.realms["realm1"].dealer.lookup("exact", PROCEDURE)
    router.configure(replace(anonymous_options("realm1"), realms={}))
    released = [each for each in take_effects(router) if isinstance(each, ReleaseRegistration)]
    assert released == [ReleaseRegistration(session, "realm1", "exact", PROCEDURE)]
    calls.change_registrations([added(902, number=3, invoke="first"), added(903, number=4, invoke="first")])
    calls.change_registrations([removed(903)])
    router.configure(anonymous_options("realm1"))
    after = router.realms["realm1"].dealer.lookup("exact", PROCEDURE)
    assert after is not before
    assert (after.id, after.invoke, after.created, list(after.callees)) == (before.id, "first", "then", [901, 902])
    callee = after.callees[901]
    assert (callee.node_key, callee.peer.has("callee", "call_reroute")) == ("k", True)
    router.configure(replace(anonymous_options("realm1"), realms={}))
    router.cluster.remove_member("b")
    router.configure(anonymous_options("realm1"))
    assert callees(router) is None


# --- meta events and ids, on nodes in memory ---


@pytest.fixture
def cluster():
    return MemoryCluster(anonymous_options("realm1"), 3)


@pytest.fixture
def events(cluster):
    """Return the meta events since the last call: names, and the session ids that they contain."""
    listener = cluster.nodes[2].join("realm1")
    names = {}
    for number, name in enumerate(("on_create", "on_register", "on_unregister", "on_delete"), 1):
        names[listener.request([SUBSCRIBE, number, {}, f"wamp.registration.{name}"])[2]] = name
    return lambda: [(names[event[1]], event[4][0]) for event in listener.receive_all()]


def test_ids_are_equal_on_all_nodes(cluster):
    for place in range(3):
        peer = cluster.nodes[place].join("realm1")
        for number in range(3):
            peer.send([REGISTER, number + 1, {"invoke": "first"}, f"com.x{(place + number) % 3}"])
    tables = [
        {
            each.procedure: (each.id, list(each.callees))
            for each in router.realms["realm1"].dealer.registrations.values()
        }
        for router in cluster.routers
    ]
    assert tables[0] == tables[1] == tables[2]
    assert [len(callees) for _, callees in tables[0].values()] == [3, 3, 3]


def test_registration_is_created_and_deleted_once(cluster, events):
    first, second = cluster.nodes[0].join("realm1"), cluster.nodes[1].join("realm1")
    for peer in (first, second):
        registration = peer.request([REGISTER, 1, {"invoke": "first"}, PROCEDURE])[2]
    ids = first.session_id, second.session_id
    assert events() == [("on_create", ids[0]), ("on_register", ids[0]), ("on_register", ids[1])]
    for peer in (first, second):
        peer.request([UNREGISTER, 2, registration])
    assert events() == [("on_unregister", ids[0]), ("on_unregister", ids[1]), ("on_delete", ids[1])]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_last_callee_in_the_table_deletes_the_registration(cluster, events, order):
    """Both nodes still see the other callee when their own one leaves."""
    peers = [cluster.nodes[place].join("realm1") for place in (0, 1)]
    for peer in peers:
        registration = peer.request([REGISTER, 1, {"invoke": "first"}, PROCEDURE])[2]
    events()
    cluster.is_immediate = False
    for peer in peers:
        peer.send([UNREGISTER, 2, registration])
    for place in order:
        cluster.work(place)
    cluster.deliver_all()
    deleted = [session_id for name, session_id in events() if name == "on_delete"]
    assert deleted == [peers[order[1]].session_id]


def test_callee_that_joins_meanwhile_prevents_the_deletion(cluster, events):
    first, second = cluster.nodes[0].join("realm1"), cluster.nodes[1].join("realm1")
    registration = first.request([REGISTER, 1, {"invoke": "first"}, PROCEDURE])[2]
    events()
    cluster.is_immediate = False
    second.send([REGISTER, 1, {"invoke": "first"}, PROCEDURE])
    cluster.work(1)
    first.send([UNREGISTER, 2, registration])
    cluster.deliver_all()
    assert sorted(name for name, _ in events()) == ["on_register", "on_unregister"]


def test_forced_callees_of_several_nodes_delete_the_registration_once(cluster, events):
    for place in (0, 1, 0, 1):
        cluster.nodes[place].join("realm1").request([REGISTER, 1, {"invoke": "first"}, PROCEDURE])
    events()
    cluster.nodes[2].join("realm1").request([REGISTER, 1, {"force_reregister": True}, PROCEDURE])
    names = [name for name, _ in events()]
    assert sorted(names) == ["on_create", "on_delete", "on_register", *["on_unregister"] * 4]


def test_invocation_comes_after_registered(cluster):
    """The callee's node reads the log before the message of the node that has read it earlier."""
    callee, caller = cluster.nodes[0].join("realm1"), cluster.nodes[1].join("realm1")
    cluster.is_immediate = False
    callee.send([REGISTER, 1, {}, PROCEDURE])
    cluster.work(0)
    cluster.read_log(1)
    caller.send([CALL, 1, {}, PROCEDURE])
    assert not callee.inbox
    cluster.deliver(1, 0)
    assert [each[0] for each in callee.receive_all()] == [REGISTERED, INVOCATION]
