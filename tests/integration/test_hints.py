"""Changes hold in other processes as soon as a hint arrives over Redis, and by polling without Redis."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from .hint_nodes import LAYERS, hint_nodes
from .test_authentication import Peer, login
from .test_django_identity import DATABASE, ROLES, Browser, closed, session

pytestmark = [pytest.mark.integration, pytest.mark.full]

PATHS = {"ws": {"type": "websocket", "auth": {"django-session": {}, "ticket": DATABASE}}}
REALMS = [{"name": "realm1", "roles": ROLES}]
TICKET = "a long enough ticket"
PREPARE = f"""
from django.contrib.auth.models import User
from wamp_transport.models import Principal, UserRole
from wamp_transport.stores.identity.credentials import keep
UserRole.objects.create(kind="everybody", role="user", order=1)
User.objects.create_user("joe", password="pw", is_staff=True)
Principal.objects.create(realm="realm1", authid="pump", role="user").credentials.create(
    method="ticket", data=keep("ticket", "{TICKET}").data)
"""
CHANGE = """
from wamp_transport.models import ConfigurationState, Realm
Realm.objects.create(name="{}")
print(ConfigurationState.objects.get().revision)
"""


@pytest.mark.parametrize("layer", LAYERS)
def test_changes_reach_both_nodes_without_polling(layer: str, tmp_path: Path) -> None:
    with hint_nodes(tmp_path, layer, PATHS, REALMS, PREPARE, POLL_SECONDS="3600") as nodes, ExitStack() as stack:
        nodes.until_applied(int(nodes.run(CHANGE.format("realm2"))))
        pumps = [stack.enter_context(Peer(port)) for port in nodes.ports]
        for peer in pumps:
            assert login(peer, "ticket", "pump", TICKET)[0] == 2
        browser = Browser(nodes.ports[0], "joe")
        headers = f"Cookie: {browser.cookie}", "Origin: http://127.0.0.1"
        peers = [stack.enter_context(Peer(port, "ws", *headers)) for port in nodes.ports]
        for peer in peers:
            session(peer)
        nodes.run("from wamp_transport.models import Principal; Principal.objects.all().delete()")
        assert [closed(peer) for peer in pumps] == ["this login is no longer allowed"] * 2
        browser.logout()  # the change is made in the first node
        assert [closed(peer) for peer in peers] == ["the user has logged out"] * 2
        nodes.until_applied(int(nodes.run(CHANGE.format("realm3"))))


@pytest.mark.parametrize("layer", LAYERS)
def test_changes_arrive_while_redis_is_away_and_hints_after_its_return(layer: str, tmp_path: Path) -> None:
    with hint_nodes(tmp_path, layer) as nodes:
        nodes.redis.kill()
        nodes.until_applied(int(nodes.run(CHANGE.format("realm2"))))
        for process in nodes.processes:
            process.wait_to_print("Hints about changes do not arrive over the channel layer")
        nodes.until_applied(int(nodes.run(CHANGE.format("realm3"))))
        nodes.redis.start()
        nodes.until_hints_arrive(times=2)
        nodes.until_applied(int(nodes.run(CHANGE.format("realm4"))))
