"""Basic Profile, "Basic Profile URIs": each error of the profile, where a client meets it."""

from wamp_transport.router.options import Permission, RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import ABORT, CALL, ERROR, GOODBYE, HELLO, PUBLISH, REGISTER, SUBSCRIBE, UNREGISTER, UNSUBSCRIBE


def test_requests_are_answered_with_the_errors_of_the_profile(alice, bob):
    bob.request([REGISTER, 1, {}, "com.taken"])
    expected = {
        "wamp.error.invalid_uri": [SUBSCRIBE, 1, {}, "com..x"],
        "wamp.error.no_such_procedure": [CALL, 1, {}, "com.x"],
        "wamp.error.procedure_already_exists": [REGISTER, 1, {}, "com.taken"],
        "wamp.error.no_such_registration": [UNREGISTER, 1, 99],
        "wamp.error.no_such_subscription": [UNSUBSCRIBE, 1, 99],
    }
    for uri, message in expected.items():
        error = alice.request(message)
        assert error[:5] == [ERROR, message[0], message[1], {}, uri]
        assert len(error) == 6
        assert isinstance(error[5][0], str)


def test_not_authorized_answers_every_action(serializer):
    roles = {"anonymous": RoleOptions("anonymous", (Permission("com.other", "prefix", True, True, True, True),))}
    alice = MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)})).join("realm1", serializer)
    for code, options in ((SUBSCRIBE, {}), (REGISTER, {}), (CALL, {}), (PUBLISH, {"acknowledge": True})):
        error = alice.request([code, 1, options, "com.x"])
        assert error[:5] == [ERROR, code, 1, {}, "wamp.error.not_authorized"]


def test_protocol_violation_invalid_uri_and_no_such_realm_are_reasons_of_abort(node, serializer):
    for message, uri in (
        ([CALL, 1, {}, "com.x"], "wamp.error.protocol_violation"),
        ([HELLO, "nowhere", {"roles": {"caller": {}}}], "wamp.error.no_such_realm"),
        ([HELLO, "no where", {"roles": {"caller": {}}}], "wamp.error.invalid_uri"),
    ):
        abort = node.connect(serializer).request(message)
        assert abort[::2] == [ABORT, uri]


def test_close_reasons(alice, bob, node):
    assert alice.request([GOODBYE, {}, "wamp.close.close_realm"])[2] == "wamp.close.goodbye_and_out"
    node.router.leave_all("wamp.close.system_shutdown", "down")
    node.run_effects()
    assert bob.receive() == [GOODBYE, {"message": "down"}, "wamp.close.system_shutdown"]
    assert alice.receive() == [ABORT, {"message": "down"}, "wamp.close.system_shutdown"]
