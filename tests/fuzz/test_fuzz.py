"""The search in short, always the same: what it has found once it finds again."""

from collections import Counter
from random import Random

import pytest

from . import targets
from .corpus import NAMES, seeds
from .run import Finding, connect_once, decode_once

pytestmark = pytest.mark.long

CORPORA = {name: seeds(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_seeds_are_messages_or_violations(name):
    outcomes = [targets.decode(name, data) for data in CORPORA[name]]
    assert {"Hello", "Publish", "Call", "violation"} <= set(outcomes)


@pytest.mark.parametrize("name", NAMES)
def test_mutated_messages_are_messages_or_violations(name):
    random, outcomes = Random(name), Counter()
    for _ in range(4000):
        decode_once(random, name, CORPORA[name], outcomes)
    assert outcomes[f"{name} decoder: message"] > 400
    assert outcomes[f"{name} decoder: violation"] > 400


def test_connections_meet_no_bug_and_leave_nothing():
    connect_often()


def explode(*_):
    raise KeyError("planted")


def connect_often():
    random = Random(1)
    for _ in range(40):
        connect_once(random, CORPORA, Counter())


def decode_often():
    random = Random(1)
    for _ in range(4000):
        decode_once(random, "json", CORPORA["json"], Counter())


@pytest.mark.expects_errors("is closed after an error inside the router")
def test_bug_behind_a_connection_is_found(monkeypatch):
    monkeypatch.setattr("wamp_transport.router.broker.Broker._dispatch", explode)
    with pytest.raises(Finding, match="after an error inside the router"):
        connect_often()


def test_exception_of_a_decoder_is_found(monkeypatch):
    monkeypatch.setattr("wamp_transport.serializers.json.JsonSerializer.check_payload", explode)
    with pytest.raises(Finding, match="KeyError"):
        decode_often()
