"""How operators find their node, and what proves to it that it is them."""

import os

import pytest
from django.test import override_settings

from wamp_transport.models import RunningNode
from wamp_transport.stores import nodes, operators

pytestmark = pytest.mark.django_db

SERVICES = [
    {"url": "wss://127.0.0.1:1/ws", "realms": ["a"], "socket": None, "origin": None},
    {"url": "ws://localhost/ws", "realms": ["a"], "socket": "/s", "origin": None},
    {"url": "ws://127.0.0.1:2/ws", "realms": ["a", "b"], "socket": None, "origin": "http://x"},
]


def started(name="here", **columns):
    nodes.report(name, 1, None, services=SERVICES, operator_salt="salt")
    RunningNode.objects.filter(name=name).update(**columns)


def test_node_of_this_host_is_found_with_its_services_the_simplest_first():
    started()
    (node,) = operators.running_here()
    assert [one.url[:5] for one in operators.services_of(node)] == ["ws://", "ws://", "wss:/"]
    assert operators.services_of(node)[0].realms == ("a", "b")


def test_what_has_ended_or_is_elsewhere_or_has_no_operators_is_none_of_this_host():
    ended = os.fork()
    if ended == 0:
        os._exit(0)
    os.waitpid(ended, 0)
    started("ended", pid=ended)
    started("elsewhere", host="far")
    started("closed", operator_salt="")
    assert operators.running_here() == []
    assert [node.name for node in operators.running_elsewhere()] == ["elsewhere"]


def test_key_takes_both_the_salt_and_the_secret_key():
    key = operators.operator_key("salt")
    assert len(key) == 64
    assert key == operators.operator_key("salt", "for-tests-only")
    assert len({key, operators.operator_key("other"), operators.operator_key("salt", "x")}) == 3


def test_former_secret_keys_count_for_nodes_that_have_not_started_anew():
    started()
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["for-tests-only"]):
        keys = operators.operator_keys(operators.running_here())
        assert operators.operator_key("salt", "for-tests-only") in keys
        assert operators.operator_key("salt") in keys
