import pytest

from wamp_transport.auth.saslprep import saslprep


@pytest.mark.parametrize(
    ("given", "result"),
    [
        ("I\u00adX", "IX"), ("user", "user"), ("USER", "USER"), ("\u00aa", "a"), ("\u2168", "IX"),
        ("a\u00a0b", "a b"), ("", ""), ("\u0627\u0031\u0628", "\u0627\u0031\u0628"),
    ],
)  # fmt: skip
def test_examples_of_the_profile_are_mapped(given, result):
    """RFC 4013, section 3, and RFC 3454, section 6."""
    assert saslprep(given) == result


@pytest.mark.parametrize("given", ["\u0007", "\u0627\u0031", "a\u0627b\u0627", "\ue000", "x\u200e"])
def test_what_the_profile_prohibits_is_refused(given):
    with pytest.raises(ValueError, match=r"not allowed|right to left"):
        saslprep(given)


def test_text_that_would_take_long_to_normalize_is_refused():
    assert len(saslprep("a" * 1024)) == 1024
    with pytest.raises(ValueError, match="1024 characters"):
        saslprep("a" + "\u0345" * 600 + "\u0300" * 600)
