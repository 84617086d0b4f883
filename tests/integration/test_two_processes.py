"""Two processes serve from one database: what happens to a user or a principal holds in both, over real sockets."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..postgresql import running_cluster
from ..redis_server import running_redis
from .servers import Process, assert_quiet, configuration, free_port, manage, running, web
from .test_authentication import Peer, assert_denied, login
from .test_django_identity import DATABASE, ROLES, Site, closed

pytestmark = pytest.mark.integration

ROLE = {"role": "user"}
PATHS = {
    "ws": {"type": "websocket", "auth": {"django-session": {}}},
    "stored": {"type": "websocket", "auth": {"ticket": DATABASE}},
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
NO_LONGER = "who logged in may no longer be here"


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
        assert told.pop("kim") == {"who logged in has another name or role now: log in again"}
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
