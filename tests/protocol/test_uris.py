"""Basic Profile, "URIs": strict and loose rules for each way of matching, and what is reserved."""

import pytest

from wamp_transport.router.options import RealmOptions, RoleOptions, RouterOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import (
    CALL,
    ERROR,
    INVALID_URI,
    INVOCATION,
    NO_SUCH_PROCEDURE,
    PUBLISH,
    PUBLISHED,
    REGISTER,
    REGISTERED,
    SUBSCRIBE,
    SUBSCRIBED,
)

BAD_EVERYWHERE = ["com.a\n", "com. a", "com.a#b", "#", " ", "com.\ta", "com.a\u2028b", "com.a\u00a0b"]
ONLY_LOOSE = ["Com.App", "com.my-app", "com.é", "com.٣", "com.a\x00b", "com.a/b", "COM", "com.a$"]
GOOD = ["com", "com.example.topic_1", "0", "_", "a.b.c.d.e.f", "com." + "x" * 1000]
SHAPES = {
    # what it is: exact, prefix, wildcard
    "": (False, True, True),
    ".": (False, False, True),
    "com.": (False, True, True),
    "com..": (False, False, True),
    ".com": (False, False, True),
    "com..topic": (False, False, True),
    "..": (False, False, True),
    "com": (True, True, True),
}


@pytest.fixture(params=[False, True], ids=["strict", "loose"])
def is_loose(request):
    return request.param


@pytest.fixture
def alice(serializer, is_loose):
    """A peer in a realm without the meta API, so that nothing comes but answers."""
    roles = {"anonymous": RoleOptions("anonymous", allow_by_default=True)}
    options = RealmOptions("realm1", roles, loose_uris=is_loose, enable_meta_api=False)
    return MemoryNode(RouterOptions(realms={"realm1": options})).join("realm1", serializer)


def outcome(peer, message):
    answer = peer.request(message)
    assert not peer.is_closed
    if answer[0] == ERROR:
        assert answer[1:3] == message[:2]
        assert isinstance(answer[5][0], str)
        return answer[4]
    return answer[0]


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
@pytest.mark.parametrize("code", [SUBSCRIBE, REGISTER])
def test_patterns_keep_the_rules_of_their_match(alice, code, match, is_loose):
    position = ["exact", "prefix", "wildcard"].index(match)
    expected = {uri: valid[position] for uri, valid in SHAPES.items()}
    expected |= dict.fromkeys(GOOD, True) | dict.fromkeys(ONLY_LOOSE, is_loose) | dict.fromkeys(BAD_EVERYWHERE, False)
    for request_id, (uri, is_valid) in enumerate(expected.items(), 1):
        answer = outcome(alice, [code, request_id, {"match": match}, uri])
        assert answer == (code + 1 if is_valid else INVALID_URI), uri


def test_topics_and_procedures_keep_the_exact_rules(alice, is_loose):
    expected = {uri: valid[0] for uri, valid in SHAPES.items()}
    expected |= dict.fromkeys(GOOD, True) | dict.fromkeys(ONLY_LOOSE, is_loose) | dict.fromkeys(BAD_EVERYWHERE, False)
    for request_id, (uri, is_valid) in enumerate(expected.items(), 1):
        published = outcome(alice, [PUBLISH, request_id, {"acknowledge": True}, uri])
        assert published == (PUBLISHED if is_valid else INVALID_URI), uri
        called = outcome(alice, [CALL, request_id, {}, uri])
        assert called == (NO_SUCH_PROCEDURE if is_valid else INVALID_URI), uri


def test_refusal_names_the_option_that_would_accept_the_uri(alice, is_loose):
    messages = [
        [PUBLISH, 1, {"acknowledge": True}, "com.example.getUser"],
        [SUBSCRIBE, 2, {"match": "wildcard"}, "com..getUser"],
        [CALL, 3, {}, "com.example.getUser"],
        [REGISTER, 4, {"match": "prefix"}, "com.example.getUser."],
    ]
    for message in messages * 2:  # the second time from the cache
        answer = alice.request(message)
        if not is_loose:
            assert answer[5] == [f"invalid URI {message[3]!r}: capital letters need `uri_check: loose`"]
        alice.receive_all()


def test_publication_to_an_invalid_topic_without_acknowledge_is_dropped(alice):
    alice.send([PUBLISH, 1, {}, "com..topic"])
    assert not alice.inbox
    assert not alice.is_closed


@pytest.mark.parametrize("uri", ["wamp.x", "wamp.session.count", "wamp"])
def test_reserved_uris_are_the_routers_own(alice, uri):
    assert outcome(alice, [REGISTER, 1, {}, uri]) == INVALID_URI
    assert outcome(alice, [REGISTER, 2, {"match": "prefix"}, uri]) == INVALID_URI
    assert outcome(alice, [REGISTER, 3, {"match": "wildcard"}, uri + "."]) == INVALID_URI
    assert outcome(alice, [PUBLISH, 4, {"acknowledge": True}, uri]) == INVALID_URI
    assert outcome(alice, [SUBSCRIBE, 5, {}, uri]) == SUBSCRIBED
    assert outcome(alice, [CALL, 6, {}, uri]) == NO_SUCH_PROCEDURE


def test_patterns_over_reserved_uris_do_not_serve_them(alice):
    assert outcome(alice, [REGISTER, 1, {"match": "prefix"}, ""]) == REGISTERED
    assert outcome(alice, [REGISTER, 2, {"match": "prefix"}, "wam"]) == REGISTERED
    assert outcome(alice, [REGISTER, 3, {"match": "wildcard"}, ".session.count"]) == REGISTERED
    assert outcome(alice, [CALL, 4, {}, "wamp.session.count"]) == NO_SUCH_PROCEDURE
    assert outcome(alice, [CALL, 5, {}, "wampum"]) == INVOCATION


def test_invalid_error_uri_does_not_reach_the_caller(alice):
    alice.request([REGISTER, 1, {}, "com.x"])
    for number, uri in enumerate(["", "no uri", "a..b", "com.a\n", "#"], 2):
        invocation = alice.request([CALL, number, {}, "com.x"])
        alice.send([ERROR, INVOCATION, invocation[1], {}, uri, ["secret"]])
        error = alice.receive()
        assert error[:5] == [ERROR, CALL, number, {}, INVALID_URI]
        assert "secret" not in error[5][0]
        assert len(error) == 6


def test_error_uri_in_loose_form_reaches_the_caller(alice):
    alice.request([REGISTER, 1, {}, "com.x"])
    invocation = alice.request([CALL, 2, {}, "com.x"])
    alice.send([ERROR, INVOCATION, invocation[1], {}, "ValueError"])
    assert alice.receive() == [ERROR, CALL, 2, {}, "ValueError"]
