"""Django's side of identity over real sockets: session cookies, tokens, stored principals; sessions that follow."""

import re
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from .servers import ROOT, Process, configuration, environment_of, free_port, manage, node, until, web
from .test_authentication import Peer, assert_denied, login
from .test_cookies import migrated

pytestmark = [pytest.mark.integration, pytest.mark.full]

EVERYTHING = {"call": True, "register": True, "publish": True, "subscribe": True}
ROLES = [
    {"name": "user", "permissions": [{"uri": "com.example.", "match": "prefix", "allow": EVERYTHING}]},
    {"name": "admin", "permissions": [{"uri": "", "match": "prefix", "allow": EVERYTHING}]},
]
DATABASE = {"type": "database"}
PATHS = {
    "ws": {"type": "websocket", "auth": {"django-session": {}, "token": {}}},
    "trusting": {
        "type": "websocket",
        "auth": {"django-session": {"trusted_origins": ["http://app.example.com"], "default-role": "user"}},
    },
    "tickets": {"type": "websocket", "auth": {"ticket": {"type": "token"}}},
    "stored": {
        "type": "websocket",
        "auth": {name: DATABASE for name in ("ticket", "wampcra", "scram", "cryptosign")},
        "lockout": {"failures_per_address": 0, "failures_per_authid": 0},
    },
    "strict": {
        "type": "websocket",
        "auth": {"wampcra": DATABASE, "token": {}},
        "lockout": {"failures_per_address": 0, "failures_per_authid": 3},
    },
}
PRIVATE = bytes(range(32))
SECRETS = {
    "ticket": "a long enough ticket",
    "wampcra": "password1",
    "wamp-scram": "password2",
    "scram": "password3",
}
PREPARE = f"""
from django.contrib.auth.models import Group, User
from wamp_transport.auth import cryptosign
from wamp_transport.models import Credential, Principal, UserRole
from wamp_transport.stores.identity import credentials
credentials.ITERATIONS, credentials.ARGON2_PASSES, credentials.ARGON2_MEMORY = 10, 1, 64
editors = Group.objects.create(name="editors")
UserRole.objects.create(kind="superuser", role="admin", order=1)
UserRole.objects.create(kind="group", group=editors, role="user", order=2)
for name in ("joe", "ann", "eve", "bob"):
    User.objects.create_user(name, password="pw", is_staff=True).groups.add(editors)
User.objects.create_user("stranger", password="pw", is_staff=True)
pump = Principal.objects.create(realm="realm1", authid="pump", role="user", authextra={{"site": 7}})
for method, secret in [*{SECRETS!r}.items(), ("cryptosign", cryptosign.public_key_of({PRIVATE!r}))]:
    kept = credentials.keep(method, secret)
    Credential.objects.create(principal=pump, method=method, data=kept.data, fingerprint=kept.fingerprint)
"""


class Site:
    """A running node on a database, and what a person or another process does to it."""

    def __init__(self, directory: Path, port: int, process: Process | None = None) -> None:
        self.environment = environment_of(WAMPNODE_DATABASE=str(directory / "db.sqlite3"))
        self.port = port
        self.process = process

    def run(self, code: str) -> str:
        """Django code in another process; what it prints."""
        command = manage("shell", "-v", "0", "-c", code)
        return self.command(*command)

    def command(self, *command: str) -> str:
        """A command in another process; what it prints."""
        done = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, text=True, capture_output=True)
        return done.stdout

    def browser(self, user: str) -> "Browser":
        """A browser in which somebody has logged in to the admin."""
        return Browser(self.port, user)


class Browser:
    """Cookies, and the pages that need them."""

    def __init__(self, port: int, user: str) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        self.request("GET", "/admin/login/")
        fields = {"username": user, "password": "pw", "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        assert self.request("POST", "/admin/login/", fields) == 302
        assert self.cookies["sessionid"]

    def request(self, method: str, path: str, fields: dict[str, str] | None = None) -> int:
        """Ask for a page; the status."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, urlencode(fields or {}), headers)
        answer = connection.getresponse()
        answer.read()
        for value in answer.headers.get_all("Set-Cookie", []):
            found = re.match("([^=]+)=([^;]*)", value)
            assert found is not None
            self.cookies[found[1]] = found[2]
        connection.close()
        return answer.status

    def logout(self) -> None:
        """Leave the admin."""
        assert self.request("POST", "/admin/logout/", {"csrfmiddlewaretoken": self.cookies["csrftoken"]}) == 200

    @property
    def cookie(self) -> str:
        """The cookies as they are sent."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def peer(self, path: str = "ws", origin: str | None = "") -> Peer:
        """A WebSocket that a page of this browser has opened; by default a page of the site itself."""
        origin = "http://127.0.0.1" if origin == "" else origin  # the Host header of these handshakes
        headers = [] if origin is None else [f"Origin: {origin}"]
        return Peer(self.port, path, f"Cookie: {self.cookie}", *headers)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("node")
    migrated(directory)
    port = free_port()
    Site(directory, port).run(PREPARE)
    realms = [{"name": "realm1", "roles": ROLES}]
    with node(directory, configuration(web(port, PATHS), realms=realms), port) as process:
        site = Site(directory, port, process)
        yield site
        assert process.stop() == 0
        assert "Traceback" not in process.output
        for secret in SECRETS.values():
            assert secret not in process.output


def session(peer: Peer) -> Any:
    """What WELCOME says to somebody who offers the session cookie."""
    welcome = peer.hello("django-session")
    assert welcome[0] == 2, welcome
    return welcome[2]


def closed(peer: Peer) -> Any:
    """The GOODBYE that ends a session."""
    goodbye = peer.wire.message()
    assert goodbye[0] == 6, goodbye
    assert goodbye[2] == "wamp.close.logout"
    return goodbye[1]["message"]


def test_browser_joins_as_its_user_and_is_closed_on_logout(site: Site) -> None:
    browser, other = site.browser("joe"), site.browser("joe")
    with browser.peer() as peer, other.peer() as same_user:
        details = session(peer)
        expected = {"authid": "joe", "authrole": "user", "authmethod": "django-session", "authprovider": "django"}
        assert {key: details[key] for key in expected} == expected
        session(same_user)
        browser.logout()
        # Which of both is told depends on whether the session was looked at before.
        assert closed(peer) in ("the user has logged out", "this login is no longer allowed")
        same_user.wire.send_json([48, 1, {}, "com.example.nothing"])
        assert same_user.wire.message()[4] == "wamp.error.no_such_procedure"
    with browser.peer() as peer:
        assert_denied(peer, peer.hello("django-session"), "wamp.error.no_matching_auth_method")


@pytest.mark.parametrize("origin", ["http://evil.example.com", "null", None, "http://127.0.0.1:1", "file://"])
def test_page_of_another_origin_cannot_use_the_cookie(site: Site, origin: str | None) -> None:
    with site.browser("joe").peer(origin=origin) as peer:
        assert_denied(peer, peer.hello("django-session"), "wamp.error.no_matching_auth_method")


def test_trusted_origin_can_use_the_cookie_and_the_default_role_is_for_the_rest(site: Site) -> None:
    browser = site.browser("stranger")
    with browser.peer("trusting", "http://app.example.com") as peer:
        assert session(peer)["authrole"] == "user"
    with browser.peer("trusting", "http://other.example.com") as peer:
        assert_denied(peer, peer.hello("django-session"), "wamp.error.no_matching_auth_method")
    with browser.peer() as peer:
        assert_denied(peer, peer.hello("django-session"), "wamp.error.no_such_role")


def test_changes_in_another_process_close_the_sessions_of_the_user(site: Site) -> None:
    changes = {
        "joe": "joe.set_password('pw'); joe.save()",
        "ann": "ann.is_superuser = True; ann.save()",
        "eve": "eve.groups.clear()",
        "bob": "bob.delete()",
    }
    browsers = {name: site.browser(name) for name in changes}
    stranger = site.browser("stranger")
    peers = {name: browser.peer() for name, browser in browsers.items()}
    untouched = stranger.peer("trusting")
    try:
        for peer in (*peers.values(), untouched):
            session(peer)
        users = "from django.contrib.auth.models import User\n"
        for name, change in changes.items():
            users += f"{name} = User.objects.get(username={name!r})\n{change}\n"
        site.run(users)
        assert {name: closed(peer) for name, peer in peers.items()} == {
            "joe": "this login is no longer allowed",
            "ann": "this login has another name or role now: log in again",
            "eve": "this login is no longer allowed",
            "bob": "this login is no longer allowed",
        }
    finally:
        for peer in (*peers.values(), untouched):
            peer.wire.socket.close()
    with site.browser("ann").peer() as peer:
        assert session(peer)["authrole"] == "admin"


def test_token_of_the_command_joins(site: Site) -> None:
    command = manage("wamp", "token", "--authid", "worker", "--realm", "realm1", "--role", "user")
    token = site.command(*command).strip()
    for path, method in (("ws", "token"), ("tickets", "ticket")):
        with Peer(site.port, path) as peer:
            assert peer.hello(method)[:2] == [4, method]
            welcome = peer.answer(token)
            assert (welcome[2]["authid"], welcome[2]["authrole"], welcome[2]["authprovider"]) == (
                "worker",
                "user",
                "token",
            )
        for wrong in (token[:-1], "", "x" * 5000):
            with Peer(site.port, path) as peer:
                peer.hello(method)
                assert_denied(peer, peer.answer(wrong))
    with Peer(site.port) as peer:
        peer.hello("token", authid="somebody else")
        assert_denied(peer, peer.answer(token))


@pytest.mark.parametrize("method", [*SECRETS, "cryptosign"])
def test_stored_principal_logs_in_and_others_are_told_the_same(site: Site, method: str) -> None:
    secret = SECRETS.get(method, PRIVATE.hex())
    wrong = bytes(32).hex() if method == "cryptosign" else secret + "!"
    with Peer(site.port, "stored") as peer:
        details = login(peer, method, "pump", secret)[2]
        assert (details["authid"], details["authrole"], details["authprovider"]) == ("pump", "user", "database")
        assert details["authextra"]["site"] == 7
    messages = set()
    for authid, given in (("pump", wrong), ("nobody", wrong), ("nobody", secret)):
        with Peer(site.port, "stored") as peer:
            messages.add(assert_denied(peer, login(peer, method, authid, given)))
    assert len(messages) == 1


def test_deactivated_principal_is_closed(site: Site) -> None:
    with Peer(site.port, "stored") as peer:
        assert login(peer, "wampcra", "pump", SECRETS["wampcra"])[0] == 2
        change = "p = Principal.objects.get(authid='pump'); p.is_active = {}; p.save()"
        site.run("from wamp_transport.models import Principal\n" + change.format(False))
        assert closed(peer) == "this login is no longer allowed"
        with Peer(site.port, "stored") as again:
            assert_denied(again, login(again, "wampcra", "pump", SECRETS["wampcra"]))
        site.run("from wamp_transport.models import Principal\n" + change.format(True))


def test_who_fails_too_often_waits_whether_there_is_such_a_principal_or_not(site: Site) -> None:
    for authid in ("pump", "nobody"):
        for _ in range(3):
            with Peer(site.port, "strict") as peer:
                assert "too many" not in assert_denied(peer, login(peer, "wampcra", authid, "wrong"))
        with Peer(site.port, "strict") as peer:
            answer = peer.hello("wampcra", authid=authid)
            assert re.fullmatch(r"too many failed logins: try again in \d+ seconds", assert_denied(peer, answer))


def test_audit_trail_tells_what_happened(site: Site) -> None:
    with site.browser("ann").peer() as peer:
        session(peer)
    with Peer(site.port, "stored") as peer:
        assert login(peer, "ticket", "pump", SECRETS["ticket"])[0] == 2
        peer.wire.send_json([48, 1, {}, "org.other.thing"])
        assert peer.wire.message()[4] == "wamp.error.not_authorized"
    with Peer(site.port, "stored") as peer:
        login(peer, "ticket", "mallory", "a wrong ticket")
    ask = (
        "from wamp_transport.models import *\n"
        "print(*AuditEntry.objects.values_list('kind', 'authid', 'authmethod', 'address', 'detail'), sep='\\n')\n"
        "print(Credential.objects.get(method='ticket').last_used_at is not None)"
    )
    wanted = (
        "('login', 'ann', 'django-session', '127.0.0.1', '')",
        "('login', 'pump', 'ticket', '127.0.0.1', '')",
        "('denial', 'pump', 'ticket', '127.0.0.1', \"not authorized to call 'org.other.thing'\")",
        "('failure', 'mallory', 'ticket', '127.0.0.1', 'authentication failed')",
        "True",
    )
    told = until(lambda: (text := site.run(ask)) and all(one in text for one in wanted) and text, "the audit trail")
    for secret in SECRETS.values():
        assert secret not in told
