"""Two processes serve from one database: what happens to a user or a principal holds in both, over real sockets."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wamp_transport.auth import wampcra

from ..postgresql import running_cluster
from ..redis_server import running_redis
from .servers import Process, assert_quiet, configuration, free_port, manage, running, web
from .test_authentication import Peer, assert_denied, login
from .test_django_identity import DATABASE, ROLES, Site, closed

pytestmark = [pytest.mark.integration, pytest.mark.full]

ROLE = {"role": "user"}
PATHS = {
    "ws": {"type": "websocket", "auth": {"django-session": {}}},
    "stored": {
        "type": "websocket",
        "auth": {name: DATABASE for name in ("ticket", "wampcra", "scram", "cryptosign")} | {"token": {}},
        "lockout": {"failures_per_address": 0},
    },
    "static": {
        "type": "websocket",
        "auth": {
            "ticket": {"type": "static", "principals": {"mike": {"ticket": "a ticket in the file", **ROLE}}},
            "wampcra": {
                "type": "static",
                "users": {
                    "mike": {"secret": "a secret in the file", **ROLE},
                    "victor": {"secret": "another secret", **ROLE},
                },
            },
        },
        "lockout": {"failures_per_address": 0, "failures_per_authid": 3},
    },
}
USERS = ("joe", "ann", "bob", "eve", "sid", "kim", "tom", "pat")
PREPARE = f"""
from django.contrib.auth.models import Group, User
from wamp_transport.models import Credential, Principal, UserRole
from wamp_transport.stores.identity.credentials import keep
editors, others = Group.objects.create(name="editors"), Group.objects.create(name="others")
UserRole.objects.create(kind="superuser", role="admin", order=1)
UserRole.objects.create(kind="group", group=editors, role="user", order=2)
UserRole.objects.create(kind="group", group=others, role="user", order=3)
for name in {USERS!r}:
    User.objects.create_user(name, password="pw", is_staff=True).groups.add(editors)
Principal.objects.create(realm="realm1", authid="pump", role="user").credentials.create(
    method="ticket", data=keep("ticket", "a long enough ticket").data)
"""
CHANGES = {
    "ann": "ann.is_active = False; ann.save()",
    "bob": "bob.delete()",
    "eve": "eve.set_password('pw2'); eve.save()",
    "sid": "sid.groups.clear()",
    "kim": "kim.is_superuser = True; kim.save()",
    "tom": "tom.groups.add(Group.objects.get(name='others'))",
}
NO_LONGER = "this login is no longer allowed"


@dataclass(frozen=True)
class Pair:
    """Two servers."""

    one: Site
    other: Site

    @property
    def sites(self) -> tuple[Site, Site]:
        return self.one, self.other


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with running_redis() as address:
        yield address


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, redis: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("node")
    ports = free_port(), free_port()
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.shop.settings",
        "WAMPNODE_DATABASE": str(directory / "db.sqlite3"),
        "WAMPNODE_CACHE": f"{redis}?db={['sqlite', 'postgresql'].index(request.param)}",
    }
    file = directory / "config.json"
    file.write_text(json.dumps(configuration(web(ports[0], PATHS), realms=[{"name": "realm1", "roles": ROLES}])))
    with ExitStack() as stack:
        if request.param == "postgresql":
            environment |= stack.enter_context(running_cluster()).create("nodes")
        for command in (
            ("migrate", "--verbosity", "0"),
            ("shell", "--verbosity", "0", "-c", PREPARE),
            ("wamp", "import", str(file)),
        ):
            with running(manage(*command), directory, **environment) as process:
                assert process.ended(seconds=60) == 0, process.output
        sites = [_served(stack, directory, port, environment) for port in ports]
        yield Pair(*sites)
        for site in sites:
            assert site.process is not None
            assert site.process.stop() == 0, site.process.output
            assert_quiet(site.process.output)
            assert "in the file" not in site.process.output


def _served(stack: ExitStack, directory: Path, port: int, environment: dict[str, str]) -> Site:
    command = manage("runserver", "--noreload", f"127.0.0.1:{port}")
    process: Process = stack.enter_context(running(command, directory, **environment))
    site = Site(directory, port, process.wait_for(port))
    site.environment |= environment
    return site


def joined(peer: Peer, *methods: str) -> Any:
    welcome = peer.hello(*methods)
    assert welcome[0] == 2, welcome
    return welcome[2]


def assert_alive(peer: Peer) -> None:
    peer.wire.send_json([48, 1, {}, "com.example.nothing"])
    assert peer.wire.message()[4] == "wamp.error.no_such_procedure"


def test_what_happens_to_users_and_principals_ends_their_sessions_in_both_processes(pair: Pair) -> None:
    with ExitStack() as stack:
        browsers = {name: pair.one.browser(name) for name in USERS}
        peers: dict[str, list[Peer]] = {name: [] for name in (*USERS, "pump")}
        for site in pair.sites:
            for name, browser in browsers.items():
                browser.port = site.port
                peers[name].append(stack.enter_context(browser.peer()))
                assert joined(peers[name][-1], "django-session")["authid"] == name
            peers["pump"].append(stack.enter_context(Peer(site.port, "stored")))
            assert login(peers["pump"][-1], "ticket", "pump", "a long enough ticket")[0] == 2
        browsers["joe"].logout()  # at the other process, which is the last that browsers have been to
        names = "".join(f"{name} = User.objects.get(username={name!r})\n{change}\n" for name, change in CHANGES.items())
        pair.one.run(
            "from django.contrib.auth.models import Group, User\nfrom wamp_transport.models import Principal\n"
            f"{names}pump = Principal.objects.get(authid='pump')\npump.is_active = False\npump.save()\n"
        )
        told = {name: {closed(peer) for peer in peers[name]} for name in ("ann", "bob", "eve", "sid", "kim", "pump")}
        assert told.pop("kim") == {"this login has another name or role now: log in again"}
        assert all(texts == {NO_LONGER} for texts in told.values()), told
        assert {closed(peer) for peer in peers["joe"]} <= {"the user has logged out", NO_LONGER}
        for name in ("tom", "pat"):  # another group with the same role, and nothing at all
            for peer in peers[name]:
                assert_alive(peer)
    browsers["kim"].port = pair.one.port
    with browsers["kim"].peer() as peer:
        assert joined(peer, "django-session")["authrole"] == "admin"


def test_secrets_of_a_file_are_sealed_in_the_database_and_serve_in_both_processes(pair: Pair) -> None:
    exported = pair.one.command(*manage("wamp", "export"))
    assert "ticket_hash" in exported
    assert "derived_key" in exported
    assert "in the file" not in exported
    for site in pair.sites:
        for method, secret in (("ticket", "a ticket in the file"), ("wampcra", "a secret in the file")):
            with Peer(site.port, "static") as peer:
                assert login(peer, method, "mike", secret)[0] == 2
        messages = set()
        for authid, given in (("mike", "wrong"), (f"nobody {site.port}", "a ticket in the file")):
            with Peer(site.port, "static") as peer:
                messages.add(assert_denied(peer, login(peer, "ticket", authid, given)))
        assert len(messages) == 1


@pytest.mark.parametrize("authid", ["victor", "nobody"])
def test_failed_logins_are_counted_together_where_processes_share_redis(pair: Pair, authid: str) -> None:
    for site in (pair.one, pair.other, pair.one):
        with Peer(site.port, "static") as peer:
            assert "too many" not in assert_denied(peer, login(peer, "wampcra", authid, "wrong"))
    for site in pair.sites:
        with Peer(site.port, "static") as peer:
            assert "too many failed logins" in assert_denied(peer, peer.hello("wampcra", authid=authid))


ODD = ("a\0b", "\u202e", "\U0010ffff", "a" * 5000, "' OR 1=1 --", "")
"""What a database, a cache or a log might stumble over."""


@pytest.mark.parametrize("method", ["ticket", "wampcra", "wamp-scram", "scram"])
def test_odd_names_and_secrets_are_refused_like_any_other(pair: Pair, method: str) -> None:
    messages = set()
    for odd in ODD:
        for authid, realm, secret in (
            (odd, "realm1", "wrong"),
            (f"joe{odd[:20]}", f"realm{odd}", "wrong"),
            (f"ann{odd[:20]}", "realm1", odd),
        ):
            with Peer(pair.one.port, "stored") as peer:
                assert peer.hello(method, authid=authid, realm=realm, nonce="AAAA")[:2] == [4, method]
                messages.add(assert_denied(peer, peer.answer(secret, nonce=secret)))
    assert messages == {"authentication failed"}


def test_odd_tokens_and_keys_are_refused_like_any_other(pair: Pair) -> None:
    for odd in ODD:
        with Peer(pair.one.port, "stored") as peer:
            assert peer.hello("token", authid=f"token{odd[:20]}")[0] == 4
            assert_denied(peer, peer.answer(odd))
        with Peer(pair.one.port, "stored") as peer:
            assert_denied(peer, peer.hello("cryptosign", authid="joe", pubkey=odd))
    for name in ("sessionid=a\xffb", "sessionid=" + "a" * 32, 'sessionid="\\000"'):
        with Peer(pair.one.port, "ws", f"Cookie: {name}", "Origin: http://127.0.0.1") as peer:
            assert_denied(peer, peer.hello("django-session"), "wamp.error.no_matching_auth_method")


def test_tokens_count_for_their_user_realm_time_and_number(pair: Pair) -> None:
    make = "from django.contrib.auth.models import User\nfrom wamp_transport.tokens import make_token\n"
    make += (
        "import time\nfrom unittest import mock\npat, tom = (User.objects.get(username=n) for n in ('pat', 'tom'))\n"
    )
    make += "print(make_token(pat), make_token(pat, 'realm2'), make_token(pat, once=True), make_token(tom))\n"
    make += "with mock.patch('time.time', lambda now=time.time(): now - 61):\n    print(make_token(pat))\n"
    make += "tom.is_active = False\ntom.save()\n"
    good, elsewhere, once, inactive, expired = pair.one.run(make).split()

    def shown(site: Site, token: str, **hello: Any) -> Any:
        with Peer(site.port, "stored") as peer:
            peer.hello("token", **hello)
            answer = peer.answer(token)
            if answer[0] == 3:
                assert answer[1]["message"] == "authentication failed"
            return answer[0]

    assert [shown(site, good) for site in pair.sites] == [2, 2]
    assert [shown(site, once) for site in pair.sites] == [2, 3]
    for token in (elsewhere, inactive, expired):
        assert shown(pair.other, token) == 3
    assert shown(pair.other, good, authid="somebody else") == 3


def test_steps_of_a_login_come_once_and_in_order(pair: Pair) -> None:
    hello = [1, "realm1", {"roles": {"caller": {}}, "authmethods": ["wampcra"], "authid": "mike"}]
    with Peer(pair.one.port, "static") as peer:  # a second HELLO while the first is not through
        peer.wire.send_json(hello, hello)
        answers = [peer.wire.message()]
        if answers[0][0] == 4:
            answers.append(peer.wire.message())
        assert (answers[-1][0], answers[-1][2]) == (3, "wamp.error.protocol_violation")
        peer.wire.closed()
    with Peer(pair.one.port, "static") as peer, Peer(pair.other.port, "static") as thief:
        challenges = [one.hello("wampcra", authid="mike")[2] for one in (peer, thief)]
        signature = signed("a secret in the file", challenges[0])
        assert_denied(thief, thief.answer(signature))  # what somebody has heard elsewhere
        peer.wire.send_json([5, signature, {}], [5, signature, {}])
        answers = [peer.wire.message()]
        if answers[0][0] == 2:
            answers.append(peer.wire.message())
        assert answers[-1][2] == "wamp.error.protocol_violation"
        peer.wire.closed()


def signed(secret: str, extra: Any) -> str:
    salting = wampcra.Salting(extra["salt"], extra["iterations"], extra["keylen"])
    return wampcra.sign(wampcra.derive_key(secret, salting), extra["challenge"])
