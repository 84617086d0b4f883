"""Before a change or a deletion, the admin says how many sessions end; afterwards, what became of the service."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import override_settings
from django.urls import reverse
from django.utils import timezone

from tests.django.configurations import node
from wamp_transport.models import Principal, Realm, Role, RunningNode, Transport, UserRole, WebPath
from wamp_transport.stores import configuration as store
from wamp_transport.stores import nodes
from wamp_transport.stores.session_groups import SessionGroup, from_json, to_json

pytestmark = [pytest.mark.django_db, pytest.mark.long]

WS = {"type": "websocket"}
KEY = "tcp:8080/ws"


def group(service=KEY, realm="realm1", role="anonymous", method="anonymous", provider="static", authid=""):
    return SessionGroup(service, realm, role, method, provider, authid)


def running(*, name="one", revision=1, **counts):
    """A node that has reported ``counts`` sessions, by role."""
    nodes.report(name, 1, revision, sessions=to_json({group(role=role): count for role, count in counts.items()}))


def impact_of(page):
    return page.context["impact"]


def told(response):
    """The messages for the next page."""
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


@pytest.fixture
def service():
    store.replace(node(ws=WS, more=WS))
    return WebPath.objects.get(path="ws")


# --- deletion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "row", "count"),
    [
        ("realm", Realm.objects.get, 5),
        ("role", lambda: Role.objects.get(name="anonymous"), 5),
        ("transport", Transport.objects.get, 5),
        ("webpath", lambda: WebPath.objects.get(path="ws"), 5),
        ("webpath", lambda: WebPath.objects.get(path="more"), 0),
    ],
)
def test_deletion_says_how_many_sessions_end(pages, service, name, row, count):
    running(anonymous=5)
    page = pages.get(f"{name}_delete", row().pk)
    assert impact_of(page).count == count
    assert ("5 sessions end." if count else "No session ends.") in page.content.decode()
    assert "Counted on 1 running node: one." in page.content.decode()


def test_action_for_several_rows_says_how_many_sessions_end(pages, service):
    running(anonymous=1)
    selected = {"action": "delete_selected", "_selected_action": [one.pk for one in WebPath.objects.all()]}
    url = reverse("admin:wamp_transport_webpath_changelist")
    page = pages.client.post(url, selected)
    assert impact_of(page).count == 1
    assert "1 session ends." in page.content.decode()
    assert WebPath.objects.count() == 2
    assert pages.client.post(url, selected | {"post": "yes"}).status_code == 302
    assert WebPath.objects.count() == 0


def test_number_covers_the_nodes_that_are_seen(pages, service):
    running(name="one", anonymous=2)
    running(name="two", anonymous=3)
    running(name="filed", revision=None, anonymous=100)
    running(name="gone", anonymous=100)
    RunningNode.objects.filter(name="gone").update(seen_at=timezone.now() - timedelta(minutes=5))
    text = pages.get("realm_delete", Realm.objects.get().pk).content.decode()
    assert "5 sessions end." in text
    assert "Counted on 2 running nodes: one, two. The numbers of other processes are up to 10 seconds old." in text


def test_without_a_node_the_number_is_not_known(pages, service):
    text = pages.get("realm_delete", Realm.objects.get().pk).content.decode()
    assert "No running node is known, so it is not known whether sessions end." in text


# --- change ----------------------------------------------------------------------------------------------------------


def test_change_that_ends_sessions_is_made_when_it_is_confirmed(pages, service):
    running(anonymous=3)
    page = pages.send(pages.get("webpath_change", service.pk), path="wamp")
    assert page.status_code == 200
    assert impact_of(page).count == 3
    assert "3 sessions end." in page.content.decode()
    service.refresh_from_db()
    assert service.path == "ws"
    fields = dict(page.context["fields"]) | {page.context["confirmed"]: "yes"}
    assert all(f'name="{name}"' in page.content.decode() for name in fields)
    response = pages.client.post(page.request["PATH_INFO"], fields)
    assert response.status_code == 302
    assert "3 sessions end." in told(response)
    service.refresh_from_db()
    assert service.path == "wamp"


def test_refused_confirmation_leaves_no_messages(pages, service):
    running(anonymous=3)
    page = pages.send(pages.get("webpath_change", service.pk), path="wamp")
    assert told(page) == ""
    assert "changed successfully" not in pages.get("webpath_changelist").content.decode()


def test_change_that_ends_no_session_is_made_immediately(pages, service):
    running(anonymous=3)
    response = pages.save(pages.get("webpath_change", service.pk), attr_options__max_frame_size="100")
    assert "session" not in told(response)


def test_row_below_that_is_deleted_counts(pages, service):
    running(anonymous=3)
    page = pages.get("realm_change", Realm.objects.get().pk)
    assert impact_of(pages.send(page, **{"roles-0-DELETE": "on"})).count == 3
    assert Role.objects.exists()


def test_change_of_the_logins_counts(pages, service):
    running(anonymous=3)
    changes = {"attr_auth__anonymous__type": "static", "attr_auth__anonymous__role": "guest"}
    assert impact_of(pages.send(pages.get("webpath_change", service.pk), **changes)).count == 3


def test_configuration_with_faults_ends_nothing(pages, service):
    running(anonymous=3)
    Role.objects.update(settings={"unknown": 1})
    page = pages.get("transport_delete", Transport.objects.get().pk)
    assert impact_of(page).count == 0
    assert "The configuration has faults, so nodes keep the old one." in page.content.decode()


def test_service_that_hides_the_admin_is_saved_when_it_is_confirmed(pages, service):
    page = pages.send(pages.get("webpath_add", type="nodeinfo"), path="/")
    assert "this admin among them, can no longer be reached on that port" in page.content.decode()
    assert WebPath.objects.count() == 2
    pages.save(pages.get("webpath_add", type="nodeinfo"), path="/", _sessions_may_end="yes")
    pages.save(pages.get("webpath_add", type="nodeinfo"), path="other")


# --- principals and users --------------------------------------------------------------------------------------------


@pytest.fixture
def joe():
    joe = Principal.objects.create(realm="realm1", authid="joe", role="clerk")
    stored = {"method": "ticket", "provider": "database", "role": "clerk"}
    counts = {group(**stored, authid="joe"): 2, group(**stored, authid="ann"): 4, group(authid="joe"): 8}
    nodes.report("one", 1, None, sessions=to_json(counts))
    return joe


def test_deletion_of_a_principal_says_how_many_sessions_end(pages, joe):
    assert impact_of(pages.get("principal_delete", joe.pk)).count == 2


@pytest.mark.parametrize("changes", [{"role": "boss"}, {"authid": "jim"}, {"is_active": ""}])
def test_change_of_a_principal_says_how_many_sessions_end(pages, joe, changes):
    page = pages.get("principal_change", joe.pk)
    assert impact_of(pages.send(page, **changes)).count == 2
    joe.refresh_from_db()
    assert (joe.role, joe.authid, joe.is_active) == ("clerk", "joe", True)
    pages.save(page, **changes, _sessions_may_end="yes")


def test_change_of_a_principal_that_ends_nothing_is_made(pages, joe):
    pages.save(pages.get("principal_change", joe.pk), authextra="{}")


def test_lines_for_django_users_say_how_many_sessions_can_end(pages):
    of_users = {"method": "django-session", "provider": "django", "role": "clerk"}
    counts = {group(**of_users): 3, group(**of_users, realm="other"): 5, group(): 8}
    nodes.report("one", 1, None, sessions=to_json(counts))
    line = UserRole.objects.create(kind="everybody", realm="realm1", role="clerk")
    assert "Up to 3 sessions end." in pages.get("userrole_delete", line.pk).content.decode()
    page = pages.get("userrole_change", line.pk)
    assert impact_of(pages.send(page, realm="")).count == 8
    pages.save(page)


def test_many_groups_are_stored_without_authids():
    counts = {group(method="ticket", authid=str(number)): 2 for number in range(501)}
    assert from_json(to_json(counts)) == {group(method="ticket"): 1002}


# --- the built-in service --------------------------------------------------------------------------------------------


@override_settings(DEBUG=True)
def test_first_steps_say_what_becomes_of_the_built_in_service(pages):
    nodes.report("one", 1, 0, sessions=to_json({group("tcp:127.0.0.1:8080/ws"): 2}))
    response = pages.save(pages.get("realm_add"), **{"name": "realm1", "roles-0-name": "anonymous"})
    assert "Until one has, the built-in service at /ws offers: realm1. No session ends." in told(response)
    response = pages.save(pages.get("transport_add", type="web"), endpoint_type="tcp", port="9000")
    assert "No transport has a path yet." in told(response)

    page = pages.send(pages.get("webpath_add", type="websocket"), path="wamp")
    assert "The paths of the transports replace the built-in service at /ws." in page.content.decode()
    assert "2 sessions end." in page.content.decode()
    assert not WebPath.objects.exists()
    response = pages.save(pages.get("webpath_add", type="websocket"), path="wamp", _sessions_may_end="yes")
    assert "replace the built-in service at /ws. 2 sessions end." in told(response)

    page = pages.get("webpath_delete", WebPath.objects.get().pk)
    assert "the built-in service at /ws is back" in page.content.decode()


@override_settings(DEBUG=True)
def test_realm_that_replaces_the_built_in_one_says_how_many_sessions_end(pages):
    nodes.report("one", 1, 0, sessions=to_json({group("tcp:127.0.0.1:8080/ws"): 2}))
    page = pages.send(pages.get("realm_add"), **{"name": "office", "roles-0-name": "anonymous"})
    assert impact_of(page).count == 2
    assert "offers: office" in page.content.decode()


@override_settings(DEBUG=True)
def test_transport_alone_leaves_the_built_in_realm(pages):
    response = pages.save(pages.get("transport_add", type="web"))
    assert "the built-in service at /ws stays, with realm realm1" in told(response)


def test_without_debug_there_is_no_built_in_service(pages):
    response = pages.save(pages.get("realm_add"), **{"name": "office", "roles-0-name": "anonymous"})
    assert "built-in" not in told(response)
