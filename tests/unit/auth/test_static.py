from typing import NamedTuple

import pytest
from pydantic import TypeAdapter

from tests.unit.auth.conftest import run
from wamp_transport.auth.principals import CraKeys, CraPassword, Lookup, PublicKeys, ScramCredential
from wamp_transport.auth.scram import Derivation, ScramKeys
from wamp_transport.auth.static import StaticPrincipals
from wamp_transport.auth.ticket import DelayedTickets, PlainTickets
from wamp_transport.auth.wampcra import Salting
from wamp_transport.config.auth import Auth


class Hashes(NamedTuple):
    """In the place of what checks tickets by their hashes."""

    hashes: tuple[str, ...]
    is_slow: bool = True

    def accepts(self, ticket):
        return False


KEYS = ["aA" * 32, "bb" * 32, "cc" * 32]


def settings(method, listed, **more):
    key = "users" if method == "wampcra" else "principals"
    block = {method: {"type": "static", key: listed, **more}}
    return TypeAdapter(Auth).validate_python(block, context={"environ": {}}).methods()[method]


def principals(method, listed, **more):
    return StaticPrincipals(settings(method, listed, **more))


def find(source, authid=None, **more):
    return run(source.find(Lookup("x", "realm1", authid, {}, **more)))


def test_principal_has_what_is_given_or_its_name():
    source = principals(
        "ticket",
        {"joe": {"ticket": "x", "role": "user"},
         "jim": {"ticket": "y", "authid": "james", "realm": "r", "extra": {"a": 1}}},
        **{"default-role": "guest"},
    )  # fmt: skip
    joe, jim = find(source, "joe"), find(source, "jim")
    assert (joe.authid, joe.role, joe.realm, joe.extra) == ("joe", "user", None, None)
    assert (jim.authid, jim.role, jim.realm, jim.extra) == ("james", None, "r", {"a": 1})
    assert (joe.credential, jim.credential) == (PlainTickets(("x",)), PlainTickets(("y",)))
    assert find(source, "nobody") is find(source) is None
    assert source.provider == "static"
    assert source.has("joe", "user")
    assert source.has("james", "guest")
    assert not source.has("jim", "guest")
    assert not source.has("joe", "guest")


def test_hashed_tickets_slow_all_others_down():
    listed = {"plain": {"ticket": "x"}, "hashed": {"ticket_hash": "md5$a$b", "role": "user"}}
    source = StaticPrincipals(settings("ticket", listed), Hashes)
    assert find(source, "hashed").credential == Hashes(("md5$a$b",))
    assert find(source, "plain").credential == DelayedTickets(PlainTickets(("x",)), Hashes(()))
    for nobody in (find(source, "nobody"), find(source)):
        assert (nobody.role, nobody.credential) == (None, Hashes(()))


def test_secrets_of_cra_have_their_forms():
    salting = {"salt": "s", "iterations": 3, "keylen": 16}
    source = principals(
        "wampcra",
        {"plain": {"secret": "x"}, "salted": {"secret": "x", **salting}, "derived": {"derived_key": "k", **salting},
         "part": {"secret": "x", "salt": "s"}},
    )  # fmt: skip
    how = Salting("s", 3, 16)
    assert find(source, "plain").credential == find(source, "part").credential == CraKeys(("x",))
    assert find(source, "salted").credential == CraPassword("x", how)
    assert find(source, "derived").credential == CraKeys(("k",), how)


def test_keys_of_scram_are_read_from_hex():
    source = principals(
        "scram",
        {"joe": {"kdf": "argon2id13", "iterations": 3, "memory": 64, "salt": "0a" * 8,
                 "stored-key": "0b" * 32, "server-key": "0c" * 32}},
    )  # fmt: skip
    derivation = Derivation("argon2id13", b"\n" * 8, 3, 64)
    assert find(source, "joe").credential == ScramCredential(derivation, (ScramKeys(b"\x0b" * 32, b"\x0c" * 32),))


def test_owner_of_a_key_is_found_where_there_is_one_alone():
    source = principals(
        "cryptosign",
        {"joe": {"authorized_keys": tuple(KEYS[:2])}, "jim": {"authorized_keys": (KEYS[1], KEYS[2], KEYS[2])}},
    )
    assert find(source, public_key="aa" * 32).authid == "joe"
    assert find(source, public_key=KEYS[2]).authid == "jim"
    assert find(source, public_key=KEYS[1]) is find(source, public_key="dd" * 32) is None
    assert find(source, "jim", public_key="aa" * 32).credential == PublicKeys((KEYS[1], KEYS[2], KEYS[2]))


@pytest.mark.parametrize(
    ("fingerprint", "authid"), [("sha1:" + "AB" * 20, "a"), ("sha256:" + "CD" * 32, "b"), ("sha1:00", None)]
)
def test_owner_of_a_certificate_is_found_whatever_authid_is_asked_for(fingerprint, authid):
    source = principals("tls", {"a": {"certificate-sha1": "ab" * 20}, "b": {"certificate-sha256": "CD:" * 31 + "CD"}})
    found = find(source, "b", fingerprints=frozenset({fingerprint}))
    assert (found.authid if found else None) == authid


def test_models_are_principals():
    source = principals("ticket", {"b": {"ticket": "x"}, "a": {"ticket": "y"}})
    assert [source.model(number).authid for number in (0, 1, 2, 2**64 - 1)] == ["a", "b", "a", "b"]
    assert principals("ticket", {}).model(5) is None
