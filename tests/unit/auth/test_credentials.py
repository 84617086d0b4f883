import pytest

from wamp_transport.auth import cryptosign, wampcra
from wamp_transport.auth.credentials import Anonymous, SharedSecret, SigningKey, Ticket, UnusableChallenge
from wamp_transport.auth.wampcra import Salting


def test_ticket_is_shown_as_it_is_and_not_printed():
    ticket = Ticket("eva", "s3cret")
    assert (ticket.authid, ticket.authmethod, ticket.answer({})) == ("eva", "ticket", "s3cret")
    assert "s3cret" not in repr(ticket)


def test_secret_signs_the_challenge_and_is_not_printed():
    credential = SharedSecret("eva", "s3cret")
    signature = credential.answer({"challenge": "{}"})
    assert credential.authmethod == "wampcra"
    assert wampcra.is_signature(("s3cret",), "{}", signature)
    assert "s3cret" not in repr(credential)


def test_salted_secret_signs_with_the_derived_key():
    salting = Salting("salt", 100, 32)
    signature = SharedSecret("eva", "s3cret").answer({"challenge": "{}", **salting.extra()})
    assert wampcra.is_signature((wampcra.derive_key("s3cret", salting),), "{}", signature)


@pytest.mark.parametrize(("credential", "extra"), [
    (Anonymous(), {}),
    (SharedSecret("eva", "s3cret"), {}),
    (SigningKey("eva", b"k" * 32), {}),
    (SigningKey("eva", b"k" * 32), {"challenge": "abcd"}),
    (SharedSecret("eva", "s3cret"), {"challenge": "{}", "salt": "salt"}),
    (SharedSecret("eva", "s3cret"), {"challenge": "{}", "salt": "salt", "iterations": "many", "keylen": 32}),
])  # fmt: skip
def test_challenge_that_cannot_be_answered_is_told(credential, extra):
    with pytest.raises(UnusableChallenge):
        credential.answer(extra)


def test_key_signs_the_challenge_and_is_not_printed():
    credential = SigningKey(None, b"k" * 32)
    challenge = bytes(range(32))
    answer = credential.answer({"challenge": challenge.hex()})
    assert cryptosign.is_answer(credential.authextra["pubkey"], challenge, answer)
    assert repr(b"k" * 32) not in repr(credential)


def test_token_is_a_ticket_of_its_own_method():
    token = Ticket(None, "t", "token")
    assert (token.authid, token.authmethod, token.authextra, token.answer({})) == (None, "token", None, "t")
