import pytest

from wamp_transport.router.options import RealmOptions
from wamp_transport.wamp.errors import ProtocolViolation
from wamp_transport.wamp.messages import PublishOptions
from wamp_transport.wamp.payload import ABSENT


def test_sessions_are_listed_and_counted_of_some_roles_if_asked(ask, caller, join, refused):
    other = join("some")
    assert ask("session.list") == [caller.id, other.id]
    assert ask("session.list", ["some", "none"]) == [other.id]
    assert ask("session.list", []) == []
    assert [ask("session.count"), ask("session.count", ["all"]), ask("session.count", None)] == [2, 1, 2]
    assert refused("session.count", "some") == "invalid_argument"


def test_session_is_described(ask, caller, refused):
    caller.authmethod, caller.authprovider, caller.transport = "anonymous", "static", {"peer": "1.2.3.4"}
    assert ask("session.get", caller.id) == {
        "session": caller.id,
        "authid": caller.authid,
        "authrole": "all",
        "authmethod": "anonymous",
        "authprovider": "static",
        "authextra": {},
        "transport": {"peer": "1.2.3.4"},
    }
    assert refused("session.get", 99) == "no_such_session"


def test_authextra_is_described_without_what_a_login_adds_for_its_client(ask, caller):
    caller.authextra = {"team": "a", "verifier": "v", "scram_server_signature": "s"}
    assert ask("session.get", caller.id)["authextra"] == {"team": "a"}


class TestKill:
    def test_session_is_ended_for_the_reason_given(self, ask, caller, join, left):
        session = join()
        ask("session.kill", session.id)
        ask("session.kill", session.id, reason="com.reason", message="text")
        assert left == [
            (session.id, "wamp.close.killed", "", caller),
            (session.id, "com.reason", "text", caller),
        ]

    def test_session_that_is_not_there_or_oneself_is_refused(self, refused, caller, left):
        assert refused("session.kill", 99) == "no_such_session"
        assert refused("session.kill", caller.id) == "no_such_session"
        assert left == []

    @pytest.mark.parametrize("uri", ["kill", "kill_by_authid", "kill_by_authrole", "kill_all"])
    def test_invalid_reason_is_refused(self, refused, join, left, uri):
        session = join()
        args = {"kill": [session.id], "kill_all": []}.get(uri, ["all"])
        assert refused(f"session.{uri}", *args, reason="no uri") == "invalid_uri"
        assert left == []

    def test_all_others_of_an_authid_are_ended(self, ask, caller, join, left):
        first, second = join("all", "anna"), join("some", "anna")
        join("all", "ben")
        caller.authid = "anna"
        assert ask("session.kill_by_authid", "anna") == [first.id, second.id]
        assert [each[0] for each in left] == [first.id, second.id]

    def test_all_others_of_a_role_are_ended(self, ask, caller, join, left):
        session = join()
        join("some")
        assert ask("session.kill_by_authrole", "all", message="text") == 1
        assert left == [(session.id, "wamp.close.killed", "text", False, caller)]

    def test_all_others_are_ended_quietly(self, ask, caller, join, left):
        ids = [join().id, join("some").id]
        assert ask("session.kill_all") == 2
        assert left == [(session_id, "wamp.close.killed", "", True, caller) for session_id in ids]


class TestTestaments:
    def test_testament_is_left_as_given(self, ask, caller):
        options = {"retain": True, "acknowledge": True, "exclude_me": False}
        ask("session.add_testament", "com.x", [1], {"a": 2}, publish_options=options, scope="detached")
        (publish,) = caller.testaments["detached"]
        assert (publish.topic, publish.args, publish.kwargs) == ("com.x", [1], {"a": 2})
        assert publish.options == PublishOptions(retain=True)
        assert not caller.testaments["destroyed"]

    def test_testament_needs_nothing_but_a_topic(self, ask, caller, refused):
        ask("session.add_testament", "com.x")
        (publish,) = caller.testaments["destroyed"]
        assert publish.args is ABSENT
        assert publish.kwargs is ABSENT
        assert publish.options == PublishOptions()
        assert refused("session.add_testament") == "invalid_argument"

    @pytest.mark.parametrize(
        ("role", "topic", "error"),
        [("none", "com.x", "not_authorized"), ("all", "wamp.x", "invalid_uri"), ("all", "com..x", "invalid_uri")],
    )
    def test_testament_that_may_not_be_published_is_refused(self, refused, caller, role, topic, error):
        caller.authrole = role
        assert refused("session.add_testament", topic) == error
        assert not any(caller.testaments.values())

    def test_testament_with_options_that_one_may_not_use_is_refused(self, ask, refused, context):
        with pytest.raises(ProtocolViolation, match="ppt_scheme"):
            ask("session.add_testament", "com.x", publish_options={"ppt_scheme": "x_a"})
        context.broker.configure(RealmOptions("realm1", allow_disclose_me=False))
        disclosing = {"disclose_me": True}
        error = refused("session.add_testament", "com.x", publish_options=disclosing)
        assert error == "option_disallowed.disclose_me"

    def test_unknown_scope_is_refused(self, refused):
        assert refused("session.add_testament", "com.x", scope="x") == "testament_error"
        assert refused("session.flush_testaments", scope="x") == "testament_error"

    def test_flush_forgets_the_testaments_of_a_scope(self, ask, caller):
        for scope in ("detached", "destroyed", "destroyed"):
            ask("session.add_testament", "com.x", scope=scope)
        assert ask("session.flush_testaments") is None
        assert [len(testaments) for testaments in caller.testaments.values()] == [1, 0]
        assert ask("session.flush_testaments", scope="detached") is None
        assert not any(caller.testaments.values())
