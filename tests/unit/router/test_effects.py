from wamp_transport.router.effects import Close, Release, Send
from wamp_transport.wamp.messages import Published


def test_effects_are_compared_by_what_they_say():
    assert Send((1,), Published(1, 2), "json") == Send((1,), Published(1, 2), "json")
    assert Release(1) != Release(2)


def test_close_needs_no_sentence():
    assert Close(1, "wamp.close.normal") == Close(1, "wamp.close.normal", "")
