import pytest
from wamp_transport.router.decisions import Admit, Deny

from tests.unit.auth.conftest import Listed, request_of
from wamp_transport.auth.cryptosign import is_answer, message_of, public_key_of, sign
from wamp_transport.auth.cryptosign_method import CryptosignMethod
from wamp_transport.auth.principals import Principal, PublicKeys

PRIVATE, OTHER = bytes(range(32)), bytes(range(1, 33))
KEY, OTHER_KEY = public_key_of(PRIVATE), public_key_of(OTHER)
JOE = Principal("device", "joe", "realm1", credential=PublicKeys((OTHER_KEY, KEY)))
CHANNEL = {"channel_id": {"tls-unique": "aa" * 32, "tls-exporter": "bb" * 32}}


@pytest.fixture
def steps(login):
    return login(CryptosignMethod, Listed(joe=JOE))


@pytest.mark.parametrize("key", [KEY, KEY.upper()])
def test_right_signature_admits(steps, key):
    request = request_of("cryptosign", pubkey=key)
    challenge = steps.begin(request)
    assert challenge.method == "cryptosign"
    assert challenge.extra["channel_binding"] is None
    answer = steps.finish(request, challenge, sign(PRIVATE, bytes.fromhex(challenge.extra["challenge"])))
    assert answer == Admit("realm1", "joe", "device", "cryptosign", "static", None)


@pytest.mark.parametrize("binding", ["tls-unique", "tls-exporter"])
def test_signature_is_bound_to_the_channel(steps, binding):
    request = request_of("cryptosign", transport=CHANNEL, pubkey=KEY, channel_binding=binding)
    challenge = steps.begin(request)
    assert challenge.extra["channel_binding"] == binding
    octets = bytes.fromhex(challenge.extra["challenge"])
    bound = message_of(octets, bytes.fromhex(CHANNEL["channel_id"][binding]))
    assert isinstance(steps.finish(request, challenge, sign(PRIVATE, bound)), Admit)
    assert steps.finish(request, challenge, sign(PRIVATE, octets)) == Deny()
    assert steps.finish(request, challenge, sign(PRIVATE, message_of(octets, b"x" * 32))) == Deny()


@pytest.mark.parametrize(
    ("authid", "key", "private"),
    [("joe", KEY, OTHER), ("joe", public_key_of(b"z" * 32), b"z" * 32), ("nobody", KEY, PRIVATE), (None, KEY, PRIVATE)],
)
def test_everybody_is_challenged_and_who_is_nobody_denied_at_the_end(steps, authid, key, private):
    request = request_of("cryptosign", authid, pubkey=key)
    challenge = steps.begin(request)
    assert steps.finish(request, challenge, sign(private, bytes.fromhex(challenge.extra["challenge"]))) == Deny()
    assert steps.finish(request, challenge, "") == Deny()


def test_signature_of_an_earlier_challenge_is_denied(steps):
    request = request_of("cryptosign", pubkey=KEY)
    first, second = steps.begin(request), steps.begin(request)
    assert steps.finish(request, second, sign(PRIVATE, bytes.fromhex(first.extra["challenge"]))) == Deny()


def test_peer_that_nobody_names_is_called_by_its_key(login):
    source = Listed()
    source.principals[None] = Principal("device", credential=PublicKeys((KEY,)))
    steps = login(CryptosignMethod, source)
    request = request_of("cryptosign", None, pubkey=KEY)
    challenge = steps.begin(request)
    answer = steps.finish(request, challenge, sign(PRIVATE, bytes.fromhex(challenge.extra["challenge"])))
    assert answer.authid == KEY
    assert source.lookups[0].public_key == KEY


@pytest.mark.parametrize("extra", [{}, {"pubkey": None}, {"pubkey": "ab"}, {"pubkey": 5}, {"a": 1}])
def test_peer_without_a_key_is_told_so(steps, extra):
    answer = steps.begin(request_of("cryptosign", **extra))
    assert "pubkey" in answer.message


@pytest.mark.parametrize(
    ("transport", "binding"),
    [({}, "tls-unique"), ({"channel_id": {"tls-exporter": "bb" * 32}}, "tls-unique"), (CHANNEL, "tls-foo"),
     (CHANNEL, 5), (CHANNEL, [])],
)  # fmt: skip
def test_binding_that_is_not_to_be_had_is_refused(steps, transport, binding):
    answer = steps.begin(request_of("cryptosign", transport=transport, pubkey=KEY, channel_binding=binding))
    assert isinstance(answer, Deny)
    assert "channel binding" in answer.message


@pytest.mark.parametrize("binding", [None, "tls-exporter"])
def test_router_signs_the_challenge_of_a_client_and_tells_its_key(steps, binding):
    asked = "0B" * 32
    request = request_of("cryptosign", transport=CHANNEL, pubkey=KEY, channel_binding=binding, challenge=asked)
    told = steps.begin(request).extra
    channel = bytes.fromhex(CHANNEL["channel_id"][binding]) if binding else None
    assert told["pubkey"] == public_key_of(b"r" * 32)
    assert is_answer(told["pubkey"], message_of(bytes.fromhex(asked), channel), told["signature"])
    assert told["challenge"] != asked.lower()


def test_router_signs_nothing_that_it_is_not_asked_to(steps):
    for extra in ({}, {"challenge": None}):
        told = steps.begin(request_of("cryptosign", pubkey=KEY, **extra)).extra
        assert set(told) == {"challenge", "channel_binding"}


@pytest.mark.parametrize("challenge", ["", "ab", "zz" * 32, "ab" * 33, 5, []])
def test_challenge_that_is_none_is_refused(steps, challenge):
    answer = steps.begin(request_of("cryptosign", pubkey=KEY, challenge=challenge))
    assert isinstance(answer, Deny)
    assert "64 hex digits" in answer.message
