"""The naive router: sessions come and go, time passes, options change."""

from collections.abc import Callable
from typing import Any

from wamp_transport.router.options import RouterOptions

from .calls import Violation
from .realm import Realm, details_of
from .records import ANYTHING, Client, Session

COUNTED = (16, 32, 34, 48, 64, 66)
"""PUBLISH, SUBSCRIBE, UNSUBSCRIBE, CALL, REGISTER, UNREGISTER: they open a request."""

NO_REASONS = ("", "no uri")
"""Reasons of GOODBYE that are no URIs."""


class NaiveRouter:
    def __init__(self, options: RouterOptions, now: Callable[[], float], chance: Callable[[], int]) -> None:
        self.options, self.now, self.chance = options, now, chance
        self.realms: dict[str, Realm] = {}
        self.open_realms()

    def open_realms(self) -> None:
        for name, options in self.options.realms.items():
            if name not in self.realms:
                self.realms[name] = Realm(options, self.now, self.chance)

    # --- sessions ---

    def opens(self, client: Client) -> None:
        """Its transport is there, without a session."""
        client.state, client.session = "open", None
        client.due = self.now() + client.peer.service.hello_timeout

    def joins(
        self, client: Client, name: str, role: str, authid: str, features: set[str], authextra: dict[str, Any] | None
    ) -> None:
        """It sends HELLO. ``authextra`` is what the router repeats of it."""
        realm = self.realms.get(name)
        if realm is None or role not in realm.options.roles:
            client.expected.append([3, ANYTHING, f"wamp.error.no_such_{'realm' if realm is None else 'role'}"])
            client.state = "closed"
            return
        session = client.session = Session(client, client.peer.session_id, realm, role, authid, features)
        session.authextra = authextra
        client.state = "joined"
        realm.sessions.append(session)
        session.last_request = 0 if realm.options.strict_request_ids else None
        welcome = {
            "roles": ANYTHING, "realm": name, "authid": authid, "authrole": role, "authmethod": "anonymous",
            "authprovider": "static", "agent": ANYTHING,
        }  # fmt: skip
        session.receives([2, session.id, welcome if authextra is None else welcome | {"authextra": authextra}])
        realm.announce("wamp.session.on_join", "", details_of(session))

    def ends(self, client: Client) -> None:
        """Its transport is gone."""
        session, client.session, client.state = client.session, None, "closed"
        if session is not None:
            session.realm.detach(session)

    def says_goodbye(self, client: Client, reason: str = "") -> None:
        if client.state != "joined":
            client.state = "closed"
            return
        session = client.session
        assert session is not None
        is_repeated = session.realm.options.dialect == "crossbar" and reason not in NO_REASONS
        session.receives([6, {}, reason if is_repeated else "wamp.close.goodbye_and_out"])
        self.opens(client)
        session.realm.detach(session)

    def violates(self, client: Client) -> None:
        client.expected.append([3, ANYTHING, "wamp.error.protocol_violation"])
        self.ends(client)

    # --- messages ---

    def receive(self, client: Client, message: list[Any]) -> None:
        """A message of a session that has joined, or is leaving and no longer heard."""
        session = client.session
        if session is None:
            return
        code, request_id, *rest = message
        try:
            self.count(session, code, request_id)
            self.handle(session, code, request_id, rest)
        except Violation:
            self.violates(client)

    def count(self, session: Session, code: int, request_id: int) -> None:
        if not session.realm.options.strict_request_ids or code not in COUNTED:
            return
        if code == 48 and (request_id in session.calls or request_id in session.streams):
            return
        if session.last_request is not None and request_id != session.last_request + 1:
            raise Violation
        session.last_request = request_id

    def handle(self, session: Session, code: int, request_id: int, rest: list[Any]) -> None:
        realm = session.realm
        if code == 16:
            realm.publish(session, request_id, rest[0], rest[1], rest[2])
        elif code == 32:
            realm.subscribe(session, request_id, *rest)
        elif code == 34:
            realm.unsubscribe(session, request_id, *rest)
        elif code == 48:
            options, procedure, args, *kwargs = rest
            realm.call(session, request_id, options, procedure, [*args, *kwargs])
        elif code == 49:
            realm.cancel(session, request_id, rest[0].get("mode"))
        elif code == 64:
            realm.register(session, request_id, *rest)
        elif code == 66:
            realm.unregister(session, request_id, *rest)
        elif code == 70:
            realm.yields(session, request_id, *rest)
        else:
            realm.fails(session, rest[0], rest[2])

    # --- everything else ---

    def leave(self, client: Client, reason: str) -> None:
        """The router ends a session, or a transport that has none yet."""
        if client.session is not None:
            client.session.realm.leave(client.session, reason)
        elif client.state == "open":
            client.expected.append([3, ANYTHING, reason])
            client.state = "closed"

    def work(self, steps: int) -> None:
        for realm in self.realms.values():
            steps = realm.work(steps)

    def time_passed(self, clients: list[Client]) -> None:
        calls = [
            call
            for realm in self.realms.values()
            for session in realm.sessions
            for call in session.calls.values()
            if call.due is not None and call.due[0] <= self.now()
        ]
        for call in sorted(calls, key=lambda call: call.due or ()):
            call.caller.realm.time_out(call)
        for client in clients:
            if client.state in ("open", "leaving") and client.due <= self.now():
                if client.state == "open":
                    client.expected.append([3, ANYTHING, "wamp.error.protocol_violation"])
                client.state = "closed"

    def configure(self, options: RouterOptions) -> None:
        self.options = options
        for name, realm in list(self.realms.items()):
            new = options.realms.get(name)
            for session in list(realm.sessions):
                if new is None:
                    realm.leave(session, "wamp.close.close_realm")
                elif session.role not in new.roles:
                    realm.leave(session, "wamp.error.no_such_role")
            if new is None:
                del self.realms[name]
                continue
            if new != realm.options:
                realm.configure(new)
        self.open_realms()
