"""Advanced Profile, "Publisher Exclusion"."""

import pytest

from .codes import EVENT, PUBLISH, SUBSCRIBE


@pytest.mark.parametrize(
    ("options", "receives"),
    [({}, False), ({"exclude_me": True}, False), ({"exclude_me": None}, False), ({"exclude_me": False}, True)],
)
def test_publisher_receives_its_own_event_only_when_asked(alice, bob, options, receives):
    for peer in (alice, bob):
        peer.request([SUBSCRIBE, 1, {}, "com.x"])
    alice.send([PUBLISH, 2, options, "com.x"])
    assert [message[0] for message in alice.receive_all()] == [EVENT] * receives
    assert bob.receive()[0] == EVENT


def test_publisher_on_its_own_white_list_is_still_excluded(alice):
    alice.request([SUBSCRIBE, 1, {}, "com.x"])
    alice.send([PUBLISH, 2, {"eligible": [alice.session_id]}, "com.x"])
    assert not alice.inbox
    alice.send([PUBLISH, 3, {"eligible": [alice.session_id], "exclude_me": False}, "com.x"])
    assert alice.receive()[0] == EVENT
