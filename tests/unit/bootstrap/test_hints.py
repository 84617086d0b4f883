"""The group for hints: which processes receive each other's hints."""

from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.test import override_settings

from wamp_transport.bootstrap.hint_sender import HintSender
from wamp_transport.bootstrap.hints import group_name
from wamp_transport.cluster.keys import hint_group
from wamp_transport.models.commits import CONFIGURATION

CLUSTER = {"NAME": "shop", "URL": "redis://localhost"}


@pytest.mark.parametrize(
    ("cluster", "secret"),
    [
        (None, "of the project"),
        (CLUSTER, "of the project"),
        ({**CLUSTER, "KEY": "of the cluster"}, "of the cluster"),
        ({**CLUSTER, "KEY": ""}, "of the project"),
    ],
)
def test_group_depends_on_the_key_of_the_cluster(cluster: Any, secret: str) -> None:
    with override_settings(SECRET_KEY="of the project", WAMP_TRANSPORT={"CLUSTER": cluster}):
        assert group_name() == hint_group(secret)


def test_processes_with_different_secret_keys_share_the_group_of_the_cluster() -> None:
    """KEY has the value of the old SECRET_KEY, so processes that were started before KEY was set also share it."""
    groups = set()
    for secret, cluster in [
        ("old", CLUSTER),
        ("old", {**CLUSTER, "KEY": "old"}),
        ("new", {**CLUSTER, "KEY": "old"}),
    ]:
        with override_settings(SECRET_KEY=secret, WAMP_TRANSPORT={"CLUSTER": cluster}):
            groups.add(group_name())
    assert len(groups) == 1


def test_hint_is_sent_to_the_group_of_the_cluster() -> None:
    layers = {"default": {"BACKEND": "tests.unit.bootstrap.fake_layer.BlockingLayer"}}
    cluster = {**CLUSTER, "KEY": "of the cluster"}
    with override_settings(CHANNEL_LAYERS=layers, WAMP_TRANSPORT={"CLUSTER": cluster}):
        layer: Any = get_channel_layer()
        layer.may_end.set()
        sender = HintSender()
        sender.send(CONFIGURATION)
        sender.finish(20)
        assert layer.groups == {hint_group("of the cluster")}
