import json

import pytest

from tests.unit.auth.conftest import Login, request_of
from wamp_transport.auth.credentials import UnusableChallenge
from wamp_transport.auth.operators import Operator, OperatorMethod, is_proof, proof
from wamp_transport.router.decisions import Admit, ChallengePeer, Deny

KEY = "k" * 64
EVA = Operator("operator:eva", ("former", KEY))


@pytest.fixture
def method(world):
    return Login(OperatorMethod(KEY, world), world)


def begun(method, operator=EVA):
    return method.begin(request_of("operator", operator.authid, **operator.authextra))


def test_who_has_the_key_is_let_in_as_trusted(method):
    challenge = begun(method)
    request = request_of("operator", EVA.authid, **EVA.authextra)
    answer = method.finish(request, challenge, EVA.answer(challenge.extra))
    assert answer == Admit("realm1", "operator:eva", "trusted", "operator", "operator")


def test_another_role_can_be_asked_for(method):
    joe = Operator("joe", (KEY,), "user")
    challenge = begun(method, joe)
    answer = method.finish(request_of("operator", "joe", **joe.authextra), challenge, joe.answer(challenge.extra))
    assert (answer.authid, answer.authrole) == ("joe", "user")


def test_wrong_key_is_denied(method):
    challenge = begun(method)
    wrong = proof("x" * 64, "operator", challenge.extra["challenge"])
    assert method.finish(request_of("operator", EVA.authid), challenge, wrong) == Deny()
    assert method.finish(request_of("operator", EVA.authid), challenge, "ü\udc00") == Deny()


def test_proof_of_the_node_is_none_of_an_operator(method):
    challenge = begun(method)
    assert method.finish(request_of("operator", EVA.authid), challenge, challenge.extra["proof"]) == Deny()


def test_answer_to_one_challenge_is_none_to_another(method):
    first, second = begun(method), begun(method)
    answer = EVA.answer(first.extra)
    assert method.finish(request_of("operator", EVA.authid), second, answer) == Deny()


@pytest.mark.parametrize(
    ("authid", "extra"),
    [
        (None, {"nonce": "n"}),
        ("", {"nonce": "n"}),
        ("x" * 201, {"nonce": "n"}),
        ("eva", {}),
        ("eva", {"nonce": 5}),
        ("eva", {"nonce": "n" * 201}),
        ("eva", {"nonce": "n", "role": ["trusted"]}),
    ],
)
def test_hello_that_lacks_something_is_denied(method, authid, extra):
    assert method.begin(request_of("operator", authid, **extra)) == Deny()


def test_operator_answers_a_node_alone_that_has_its_key(method):
    extra = begun(method).extra
    for wrong in (
        {**extra, "proof": proof("x" * 64, "router", extra["challenge"])},
        {**extra, "proof": proof(KEY, "operator", extra["challenge"])},
        {**extra, "proof": None},
    ):
        with pytest.raises(UnusableChallenge, match="another SECRET_KEY"):
            EVA.answer(wrong)


def test_who_has_no_key_is_told_nothing_of_the_node(method):
    extra = begun(method).extra
    assert set(extra) == {"challenge", "proof"}
    known = {"authid", "role", "nonce", "realm", "session", "router_nonce", "timestamp"}
    assert set(json.loads(extra["challenge"])) == known


def test_operator_answers_no_challenge_of_another_login(method):
    other = begun(method, Operator("operator:eva", (KEY,)))
    for extra in (other.extra, {}, {"challenge": 5}):
        with pytest.raises(UnusableChallenge, match="does not belong to this login"):
            EVA.answer(extra)


def test_what_is_signed_tells_who_is_to_be_let_in(method):
    challenge = begun(method)
    assert isinstance(challenge, ChallengePeer)
    told = json.loads(challenge.extra["challenge"])
    assert (told["realm"], told["authid"], told["role"]) == ("realm1", "operator:eva", "trusted")


def test_key_is_not_printed():
    assert KEY not in repr(EVA)
    assert is_proof(KEY, "router", "text", proof(KEY, "router", "text"))


def test_operator_signs_nothing_but_what_it_asked_for(method):
    joe = Operator("joe", (KEY,), "user")
    text = json.loads(begun(method, joe).extra["challenge"])
    assert joe.answer(signed(text))
    for changed in ({"role": "trusted"}, {"authid": "eva"}, {"nonce": "other", "realm": joe.nonce}):
        with pytest.raises(UnusableChallenge, match="does not belong to this login"):
            joe.answer(signed(text | changed))
    for odd in (joe.nonce, json.dumps([joe.nonce])):
        with pytest.raises(UnusableChallenge, match="does not belong to this login"):
            joe.answer({"challenge": odd, "proof": proof(KEY, "router", odd)})


def signed(told):
    text = json.dumps(told)
    return {"challenge": text, "proof": proof(KEY, "router", text)}
