"""Secrets are sealed: what is stored lets the same clients in, and tells nobody the secret."""

import itertools
from typing import Any

import pytest

from wamp_transport.auth import sealing
from wamp_transport.auth.sealing import in_the_clear, sealed
from wamp_transport.auth.wampcra import Salting, derive_key

SALTS = itertools.count()


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "ITERATIONS", 3)


def seal(auth: Any) -> Any:
    return sealed(auth, lambda ticket: f"hash${len(ticket)}", lambda: f"salt{next(SALTS)}")


def tickets(**principals: Any) -> dict[str, Any]:
    return {"ticket": {"type": "static", "principals": principals}}


def users(**principals: Any) -> dict[str, Any]:
    return {"wampcra": {"type": "static", "users": principals}}


def test_ticket_becomes_its_hash_and_the_rest_stays() -> None:
    given = tickets(joe={"ticket": "hush", "role": "user"}, ann={"ticket_hash": "x$y"})
    assert seal(given) == tickets(joe={"role": "user", "ticket_hash": "hash$4"}, ann={"ticket_hash": "x$y"})
    assert given == tickets(joe={"ticket": "hush", "role": "user"}, ann={"ticket_hash": "x$y"})


def test_secret_becomes_a_key_with_a_new_salt_for_each() -> None:
    kept = seal(users(joe={"secret": "hush", "role": "user"}, ann={"secret": "hush", "salt": "s", "keylen": 16}))
    joe, ann = kept["wampcra"]["users"]["joe"], kept["wampcra"]["users"]["ann"]
    assert joe.pop("role") == "user"
    for one in (joe, ann):
        assert set(one) == {"derived_key", "salt", "iterations", "keylen"}
        assert one["derived_key"] == derive_key("hush", Salting(one["salt"], 3, 32))
    assert joe["salt"] != ann["salt"]


def test_secret_with_salting_of_its_own_keeps_that() -> None:
    salting = {"salt": "salt123", "iterations": 100, "keylen": 16}
    kept = seal(users(joe={"secret": "secret1", **salting}))
    assert kept == users(joe={"derived_key": "prq7+YkJ1/KlW1X0YczMHw==", **salting})


@pytest.mark.parametrize(
    "auth",
    [
        tickets(joe={"ticket": "${TICKET}"}),
        users(joe={"secret": "${SECRET}"}),
        users(joe={"derived_key": "a2V5", "salt": "s", "iterations": 3, "keylen": 3}),
        {"scram": {"type": "static", "principals": {"joe": {"stored-key": "00", "server-key": "00"}}}},
        {"ticket": {"type": "dynamic", "authenticator": "com.example.login", "principals": {"joe": {"ticket": "t"}}}},
    ],
)
def test_what_is_no_secret_in_the_clear_stays(auth: Any) -> None:
    assert seal(auth) == auth
    assert list(in_the_clear(auth)) == []


@pytest.mark.parametrize(
    "auth",
    [
        None,
        [],
        "ticket",
        {"ticket": None},
        {"ticket": {"principals": []}},
        tickets(joe=None, ann="hush", bob={"ticket": 5}, eve={"ticket": ""}, sid={"ticket": "\ud800"}),
        users(joe={"secret": "hush", "salt": 5, "iterations": 3, "keylen": 3}),
        users(joe={"secret": "hush", "salt": "s", "iterations": 10**12, "keylen": 3}),
        users(joe={"secret": "hush", "salt": "s", "iterations": True, "keylen": 3}),
    ],
)
def test_what_the_checks_refuse_is_left_to_them(auth: Any) -> None:
    assert seal(auth) == auth


def test_sealed_is_not_sealed_again() -> None:
    once = seal({**tickets(joe={"ticket": "hush"}), **users(joe={"secret": "hush"})})
    assert seal(once) == once


def test_places_of_secrets_in_the_clear_are_told() -> None:
    auth = {**tickets(joe={"ticket": "hush"}, ann={"ticket": "${A}"}), **users(bob={"secret": "hush"})}
    assert list(in_the_clear(auth)) == [
        ("ticket", "principals", "joe", "ticket"),
        ("wampcra", "users", "bob", "secret"),
    ]
