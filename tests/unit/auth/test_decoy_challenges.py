import re

import pytest

from wamp_transport.auth.decoy_challenges import choice, octets, text_like


def test_octets_are_the_same_for_the_same_question_alone():
    first = octets(b"key", "scram", "joe", 50)
    assert len(first) == 50
    assert first == octets(b"key", "scram", "joe", 50)
    others = [
        octets(b"other", "scram", "joe", 50),
        octets(b"key", "wampcra", "joe", 50),
        octets(b"key", "scram", "j", 50),
    ]
    assert len({first, *others}) == 4
    assert len(set(first)) > 20


def test_choice_is_spread():
    assert len({choice(b"key", "p", f"user{number}") % 4 for number in range(50)}) == 4
    assert choice(b"key", "p", "joe") == choice(b"key", "p", "joe")


def test_text_has_the_shape_of_its_model():
    made = text_like("salt-12_00ff", b"key", "p", "joe")
    assert re.fullmatch(r"[A-Za-z0-9]{4}-[0-9]{2}_[0-9]{2}[a-f]{2}", made)
    assert made == text_like("salt-12_00ff", b"key", "p", "joe")
    assert made != text_like("salt-12_00ff", b"key", "p", "jim")
    assert text_like("", b"key", "p", "joe") == ""


@pytest.mark.parametrize(
    ("model", "pattern"),
    [
        ("AAAAAAAAAAAAAAAAAAAAAA", r"[A-Za-z0-9_-]{21}[AQgw]"),
        ("q-_Mfr3yJdPTxkGxCs0j6w", r"[A-Za-z0-9_-]{21}[AQgw]"),
        ("q+/Mfr3yJdPTxkGxCs0j6w==", r"[A-Za-z0-9+/]{21}[AQgw]=="),
        ("0123456789abcdef0123456789abcdef", "[0-9a-f]{32}"),
        ("0123456789abcdef0", "[0-9a-f]{17}"),
    ],
)
def test_random_text_of_any_model_looks_random(model, pattern):
    made = {text_like(model, b"key", "p", f"user{number}") for number in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(pattern, one) for one in made)
    for place in range(16):  # in no place does it look like its model
        assert len({one[place] for one in made}) > 10


def test_authid_that_no_text_encoding_knows_is_no_matter():
    assert octets(b"key", "p", "a\udc00", 4)
