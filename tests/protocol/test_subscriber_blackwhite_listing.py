"""Advanced Profile, "Subscriber Black- and Whitelisting"."""

import pytest

from wamp_transport.router.options import AnonymousLogin, RealmOptions, RoleOptions, RouterOptions, ServiceOptions
from wamp_transport.testing.memory import MemoryNode

from .codes import PUBLISH, SUBSCRIBE


@pytest.fixture
def peers(serializer):
    """A publisher, and subscribers of two roles and three authids."""
    roles = {name: RoleOptions(name, allow_by_default=True) for name in ("user", "admin")}
    node = MemoryNode(RouterOptions(realms={"realm1": RealmOptions("realm1", roles)}))
    peers = {}
    for name, role in (("publisher", "user"), ("anna", "user"), ("ben", "user"), ("carl", "admin")):
        peers[name] = node.join("realm1", serializer, ServiceOptions(name, AnonymousLogin(role, name)))
        if name != "publisher":
            peers[name].request([SUBSCRIBE, 1, {}, "com.x"])
            peers[name].request([SUBSCRIBE, 2, {"match": "prefix"}, "com."])
    return peers


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "anna ben carl"),
        ({"exclude": ["anna"]}, "ben carl"),
        ({"exclude": ["anna", "carl"]}, "ben"),
        ({"exclude": []}, "anna ben carl"),
        ({"exclude": None, "eligible": None}, "anna ben carl"),
        ({"eligible": ["anna"]}, "anna"),
        ({"eligible": []}, ""),
        ({"eligible_authid": []}, ""),
        ({"eligible_authrole": []}, ""),
        ({"eligible": ["anna", "ben"], "exclude": ["ben"]}, "anna"),
        ({"exclude_authid": ["anna", "nobody"]}, "ben carl"),
        ({"exclude_authrole": ["user"]}, "carl"),
        ({"eligible_authid": ["ben", "carl"]}, "ben carl"),
        ({"eligible_authrole": ["user"]}, "anna ben"),
        ({"eligible_authrole": ["user"], "eligible_authid": ["ben", "carl"]}, "ben"),
        ({"eligible_authrole": ["user"], "exclude_authid": ["ben"]}, "anna"),
        ({"eligible": ["carl"], "exclude_authrole": ["admin"]}, ""),
        ({"eligible": [4711]}, ""),
    ],
)
def test_lists_choose_the_receivers(peers, options, expected):
    def session_ids(value):
        return [peers[each].session_id if each in peers else each for each in value] if value else value

    options = {key: session_ids(value) if key in ("exclude", "eligible") else value for key, value in options.items()}
    peers["publisher"].send([PUBLISH, 1, options, "com.x"])
    for name, peer in peers.items():
        events = peer.receive_all()
        assert len(events) == (2 if name in expected.split() else 0), name
        assert all(event[3].keys() <= {"topic"} for event in events)
