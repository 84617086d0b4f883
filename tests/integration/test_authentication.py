"""Logins over real sockets: every method, right and wrong, cookies that log in, authenticators of all kinds."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wamp_transport.auth import cryptosign, scram, wampcra

from .servers import Process, assert_quiet, configuration, free_port, node, web
from .test_cookies import migrated
from .wire import Wire, joined

pytestmark = pytest.mark.integration

ROLES = {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}
EVERYTHING = {"call": True, "register": True, "publish": True, "subscribe": True}
REALMS = [
    {
        "name": name,
        "roles": [
            {"name": role, "permissions": [{"uri": "", "match": "prefix", "allow": EVERYTHING}]}
            for role in ("anonymous", "frontend")
        ],
    }
    for name in ("realm1", "devices")
]
PRIVATE = bytes(range(32))
SALTING = {"salt": "salt123", "iterations": 100, "keylen": 16}
DERIVED = "prq7+YkJ1/KlW1X0YczMHw=="
WAYS = {
    "wamp-scram": scram.Derivation("argon2id13", b"\x01" * 16, 1, 64),
    "scram": scram.Derivation("argon2id-13", b"\x02" * 16, 1, 64),
}


def scram_principal(name: str) -> dict[str, Any]:
    way = WAYS[name]
    keys = scram.keys_of(scram.salted_password("pencil", way))
    return {
        "kdf": way.kdf, "iterations": way.iterations, "memory": way.memory, "salt": way.salt.hex(),
        "stored-key": keys.stored_key.hex(), "server-key": keys.server_key.hex(), "role": "frontend",
    }  # fmt: skip


TICKET = {"type": "static", "principals": {"joe": {"ticket": "${TICKET}", "role": "frontend"}}}
STATIC = {
    "ticket": TICKET,
    "wampcra": {
        "type": "static",
        "users": {
            "joe": {"secret": "secret2", "role": "frontend"},
            "peter": {"secret": "secret1", "role": "frontend", **SALTING},
            "pat": {"derived_key": DERIVED, "role": "frontend", **SALTING},
        },
    },
    "scram": {"type": "static", "principals": {name: scram_principal(name) for name in WAYS}},
    "cryptosign": {
        "type": "static",
        "principals": {
            "client01@example.com": {
                "realm": "devices",
                "role": "frontend",
                "authorized_keys": [cryptosign.public_key_of(PRIVATE)],
            }
        },
    },
}
AUTHENTICATOR = {"type": "dynamic", "authenticator": "com.example.authenticate"}
FUNCTION = {
    "type": "function",
    "create": "tests.integration.test_authentication.create",
    "config": {"role": "frontend"},
}
PATHS = {
    "ws": {"type": "websocket", "auth": STATIC, "lockout": {"failures_per_address": 0, "failures_per_authid": 0}},
    "open": {"type": "websocket"},
    "dynamic": {
        "type": "websocket",
        "auth": {"ticket": AUTHENTICATOR, "wampcra": {**AUTHENTICATOR, "authenticator-realm": "realm1"}},
    },
    "missing": {"type": "websocket", "auth": {"ticket": {"type": "dynamic", "authenticator": "com.example.nobody"}}},
    "function": {"type": "websocket", "auth": {"anonymous": FUNCTION, "ticket": FUNCTION}},
    "cookie": {
        "type": "websocket",
        "cookie": {"store": {"type": "memory"}},
        "auth": {"ticket": TICKET, "cookie": {}},
    },
}


def create(config: dict[str, Any], controller: None) -> Any:
    """What a configuration of type function names."""

    def authenticate(realm: str, authid: str, details: dict[str, Any]) -> dict[str, Any]:
        if details.get("ticket", "right") != "right":
            raise PermissionError("no")
        return {"role": config["role"], "extra": {"realm": realm, "method": details["authmethod"]}}

    return authenticate


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Process]]:
    directory: Path = tmp_path_factory.mktemp("node")
    migrated(directory)
    port = free_port()
    with node(directory, configuration(web(port, PATHS), realms=REALMS), port, TICKET="secret!!!") as process:
        yield port, process
        assert process.stop() == 0
        for secret in ("secret!!!", "secret2", "secret1", DERIVED):
            assert secret not in process.output


@pytest.fixture(scope="module")
def port(server: tuple[int, Process]) -> int:
    return server[0]


class Peer:
    """A client that logs in by hand."""

    def __init__(self, port: int, path: str = "ws", *headers: str) -> None:
        self.wire = Wire(port)
        self.head = self.wire.upgrade(f"/{path}", headers=headers)
        assert self.head.startswith("HTTP/1.1 101 "), self.head

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *exception: object) -> None:
        self.wire.socket.close()

    def hello(self, *methods: str, authid: str | None = None, realm: str | None = "realm1", **extra: Any) -> Any:
        """Say hello; the answer."""
        details: dict[str, Any] = {"roles": ROLES, "authmethods": list(methods), "authextra": extra}
        if authid is not None:
            details["authid"] = authid
        self.wire.send_json([1, realm, details])
        return self.wire.message()

    def answer(self, signature: str, **extra: Any) -> Any:
        """Answer the challenge; what follows."""
        self.wire.send_json([5, signature, extra])
        return self.wire.message()

    @property
    def cookie(self) -> str:
        """The cookie that was set with the handshake."""
        found = re.search(r"(?im)^set-cookie: (cbtid=[^;]+)", self.head)
        assert found is not None, self.head
        return f"Cookie: {found[1]}"


def assert_denied(peer: Peer, answer: Any, reason: str = "wamp.error.authentication_denied") -> str:
    assert answer[0] == 3, answer
    assert answer[2] == reason
    peer.wire.closed()
    return str(answer[1]["message"])


def login(peer: Peer, method: str, authid: str, secret: str, **hello: Any) -> Any:
    """The answer to a login with a secret in the clear."""
    if method == "cryptosign":
        key = bytes.fromhex(secret)
        challenge = peer.hello(method, authid=authid, pubkey=cryptosign.public_key_of(key), **hello)
        return peer.answer(cryptosign.sign(key, bytes.fromhex(challenge[2]["challenge"])))
    if method.endswith("scram"):
        return scram_login(peer, method, authid, secret)
    challenge = peer.hello(method, authid=authid, **hello)
    assert challenge[:2] == [4, method], challenge
    if method == "ticket":
        return peer.answer(secret)
    extra = challenge[2]
    key = secret
    if "salt" in extra:
        key = wampcra.derive_key(secret, wampcra.Salting(extra["salt"], extra["iterations"], extra["keylen"]))
    return peer.answer(wampcra.sign(key, extra["challenge"]))


def scram_login(peer: Peer, method: str, authid: str, secret: str) -> Any:
    nonce = b64encode(b"0123456789abcdef").decode()
    extra = peer.hello(method, authid=authid, nonce=nonce)[2]
    way = scram.Derivation(extra["kdf"], b64decode(extra["salt"]), extra["iterations"], extra["memory"])
    salted = scram.salted_password(secret, way)
    message = scram.auth_message(method, authid, nonce, extra["nonce"], way)
    answer = peer.answer(b64encode(scram.client_proof(salted, message)).decode(), nonce=extra["nonce"])
    if answer[0] == 2:
        signature = answer[2]["authextra"]["verifier" if method == "wamp-scram" else "scram_server_signature"]
        assert b64decode(signature) == scram.server_signature(scram.keys_of(salted), message)
    return answer


LOGINS = [
    ("ticket", "joe", "secret!!!"),
    ("wampcra", "joe", "secret2"),
    ("wampcra", "peter", "secret1"),
    ("wampcra", "pat", "secret1"),
    ("wamp-scram", "wamp-scram", "pencil"),
    ("scram", "scram", "pencil"),
    ("cryptosign", "client01@example.com", PRIVATE.hex()),
]


@pytest.mark.parametrize(("method", "authid", "secret"), LOGINS)
def test_right_secret_joins(port: int, method: str, authid: str, secret: str) -> None:
    with Peer(port) as peer:
        welcome = login(peer, method, authid, secret)
    assert welcome[0] == 2, welcome
    expected = {"authid": authid, "authrole": "frontend", "authmethod": method, "authprovider": "static"}
    assert {key: welcome[2][key] for key in expected} == expected
    assert welcome[2]["realm"] == ("devices" if method == "cryptosign" else "realm1")


@pytest.mark.parametrize(("method", "authid", "secret"), LOGINS)
def test_wrong_secret_and_unknown_peer_are_told_the_same(port: int, method: str, authid: str, secret: str) -> None:
    wrong = bytes(32).hex() if method == "cryptosign" else f"{secret}!"
    messages = set()
    for name, given in ((authid, wrong), ("nobody", wrong), ("nobody", secret)):
        with Peer(port) as peer:
            messages.add(assert_denied(peer, login(peer, method, name, given)))
    assert len(messages) == 1


def test_refused_login_is_the_last_on_its_connection(port: int) -> None:
    with Peer(port) as peer:
        assert peer.hello("ticket", authid="joe")[0] == 4
        peer.wire.send_json([5, "wrong", {}], [5, "secret!!!", {}], [1, "realm1", {"roles": ROLES}])
        assert peer.wire.message()[0] == 3
        peer.wire.closed()


def test_order_of_the_client_decides_and_unknown_methods_are_skipped(port: int) -> None:
    with Peer(port) as peer:
        assert peer.hello("newest", "tls", "wampcra", "ticket", authid="joe")[:2] == [4, "wampcra"]
    with Peer(port) as peer:
        assert peer.hello("ticket", "wampcra", authid="joe")[:2] == [4, "ticket"]


@pytest.mark.parametrize("methods", [(), ("anonymous",), ("newest", "tls")])
def test_no_method_in_common_is_told(port: int, methods: tuple[str, ...]) -> None:
    with Peer(port) as peer:
        assert_denied(peer, peer.hello(*methods), "wamp.error.no_matching_auth_method")


class Authenticator:
    """A session that offers the authenticator of the dynamic service."""

    def __init__(self, port: int) -> None:
        self.wire = joined(port, "/open")
        self.wire.send_json([64, 1, {}, "com.example.authenticate"])
        assert self.wire.message()[0] == 65

    def __enter__(self) -> "Authenticator":
        return self

    def __exit__(self, *exception: object) -> None:
        self.wire.socket.close()

    def asked(self) -> Any:
        invocation = self.wire.message()
        assert invocation[0] == 68, invocation
        self.request = invocation[1]
        return invocation[4]

    def returns(self, value: Any) -> None:
        self.wire.send_json([70, self.request, {}, [value]])

    def raises(self, uri: str, text: str) -> None:
        self.wire.send_json([8, 68, self.request, {}, uri, [text]])


def test_procedure_decides_with_crossbars_arguments(port: int) -> None:
    with Authenticator(port) as authenticator, Peer(port, "dynamic") as peer:
        assert peer.hello("ticket", authid="joe", a=1)[0] == 4
        peer.wire.send_json([5, "sesame", {}])
        realm, authid, details = authenticator.asked()
        assert (realm, authid, details["ticket"]) == ("realm1", "joe", "sesame")
        assert details["transport"]["peer"].startswith("tcp:127.0.0.1:")
        assert (details["authmethod"], details["authextra"]) == ("ticket", {"a": 1})
        authenticator.returns({"role": "frontend", "authid": "joseph", "realm": "devices", "extra": {"x": [1]}})
        welcome = peer.wire.message()
        assert details["session"] == welcome[1]
        told = {key: welcome[2][key] for key in ("authid", "authrole", "realm", "authprovider", "authextra")}
        assert told == {"authid": "joseph", "authrole": "frontend", "realm": "devices", "authprovider": "dynamic",
                        "authextra": {"x": [1]}}  # fmt: skip


def test_procedure_gives_the_secret_of_a_challenge(port: int) -> None:
    for key, expected in ((DERIVED, 2), ("wrong", 3)):
        with Authenticator(port) as authenticator, Peer(port, "dynamic") as peer:
            details = {"roles": ROLES, "authmethods": ["wampcra"], "authid": "peter"}
            peer.wire.send_json([1, "devices", details])
            assert authenticator.asked()[:2] == ["devices", "peter"]
            authenticator.returns({"secret": "secret1", "role": "frontend", **SALTING})
            challenge = peer.wire.message()
            assert peer.answer(wampcra.sign(key, challenge[2]["challenge"]))[0] == expected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"role": "trusted"}, "wamp.error.no_such_role"),
        ({"role": "nobody"}, "wamp.error.no_such_role"),
        ({}, "wamp.error.no_such_role"),
        ({"role": "frontend", "realm": "nowhere"}, "wamp.error.no_such_realm"),
        (True, "wamp.error.authentication_failed"),
        (None, "wamp.error.authentication_failed"),
    ],
)
def test_procedure_that_returns_no_principal_lets_nobody_in(port: int, answer: Any, reason: str) -> None:
    with Authenticator(port) as authenticator, Peer(port, "dynamic") as peer:
        peer.hello("ticket", authid="joe")
        peer.wire.send_json([5, "sesame", {}])
        authenticator.asked()
        authenticator.returns(answer)
        assert_denied(peer, peer.wire.message(), reason)


def test_error_of_the_procedure_is_the_reason(port: int) -> None:
    with Authenticator(port) as authenticator, Peer(port, "dynamic") as peer:
        peer.hello("ticket", authid="joe")
        peer.wire.send_json([5, "sesame", {}])
        authenticator.asked()
        authenticator.raises("com.example.no_such_user", "no such user joe")
        assert assert_denied(peer, peer.wire.message(), "com.example.no_such_user") == "no such user joe"


def test_procedure_that_is_not_there_lets_nobody_in(port: int) -> None:
    with Peer(port, "missing") as peer:
        peer.hello("ticket", authid="joe")
        assert_denied(peer, peer.answer("x"), "wamp.error.authentication_failed")


def test_python_function_decides(port: int) -> None:
    with Peer(port, "function") as peer:
        welcome = peer.hello("anonymous")
        assert (welcome[2]["authrole"], welcome[2]["authprovider"]) == ("frontend", "function")
        assert welcome[2]["authextra"] == {"realm": "realm1", "method": "anonymous"}
    with Peer(port, "function") as peer:
        peer.hello("ticket", authid="joe")
        assert peer.answer("right")[2]["authid"] == "joe"
    with Peer(port, "function") as peer:
        peer.hello("ticket", authid="joe")
        assert_denied(peer, peer.answer("wrong"), "wamp.error.authentication_failed")


METHODS = ("cookie", "ticket")


def test_cookie_logs_in_until_logout(port: int) -> None:
    with Peer(port, "cookie") as first:
        assert first.hello(*METHODS, authid="joe")[:2] == [4, "ticket"]
        assert first.answer("secret!!!")[2]["authmethod"] == "ticket"
        cookie = first.cookie
        with Peer(port, "cookie", cookie) as again:
            welcome = again.hello(*METHODS)
            expected = {"authid": "joe", "authrole": "frontend", "authmethod": "cookie", "authprovider": "cookie"}
            assert {key: welcome[2][key] for key in expected} == expected
            with Peer(port, "cookie", cookie) as other:
                assert other.hello("ticket", authid="joe")[0] == 4
            with Peer(port, "cookie", cookie) as other:
                assert other.hello(*METHODS, realm="devices")[:2] == [4, "ticket"]
            first.wire.send_json([6, {}, "wamp.close.logout"])
            assert first.wire.message()[0] == 6
            again.wire.closed()
    with Peer(port, "cookie", cookie) as later:
        assert later.hello(*METHODS)[:2] == [4, "ticket"]


def test_refused_login_is_not_remembered(port: int) -> None:
    with Peer(port, "cookie") as first:
        first.hello("ticket", authid="joe")
        assert_denied(first, first.answer("wrong"))
    with Peer(port, "cookie", first.cookie) as again:
        assert again.hello(*METHODS, authid="joe")[:2] == [4, "ticket"]


def test_changed_principals_end_sessions_and_nothing_else(tmp_path: Path) -> None:
    migrated(tmp_path)
    port = free_port()
    users = {name: {"ticket": name * 3, "role": "frontend"} for name in ("joe", "jim")}

    def auth() -> dict[str, Any]:
        return {"ticket": {"type": "static", "principals": users}}

    def whole() -> dict[str, Any]:
        return configuration(web(port, {"ws": {"type": "websocket", "auth": auth()}}), realms=REALMS)

    with node(tmp_path, whole(), port) as process, Peer(port) as joe, Peer(port) as jim:
        assert login(joe, "ticket", "joe", "joejoejoe")[0] == login(jim, "ticket", "jim", "jimjimjim")[0] == 2
        users["jim"] = {"ticket": "changed", "role": "frontend"}
        del users["joe"]
        (tmp_path / ".crossbar" / "config.json").write_text(json.dumps(whole()))
        goodbye = joe.wire.message()
        assert goodbye[0] == 6, goodbye
        jim.wire.send_json([48, 1, {}, "com.nothing"])
        assert jim.wire.message()[4] == "wamp.error.no_such_procedure"
        with Peer(port) as old, Peer(port) as new:
            assert login(old, "ticket", "jim", "jimjimjim")[0] == 3
            assert login(new, "ticket", "jim", "changed")[0] == 2
        assert process.stop() == 0
        assert_quiet(process.output)
