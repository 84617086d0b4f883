"""The page on what runs, and who may see and do what."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.django.configurations import node
from wamp_transport.cluster.node_state import IncompatibleMember, NodeState, PeerState, to_json
from wamp_transport.models import Realm, RunningNode, Transport, WebPath
from wamp_transport.stores import configuration as store
from wamp_transport.stores import nodes

pytestmark = [pytest.mark.django_db, pytest.mark.long]

CHANGELISTS = ["webpath", "realm", "role", "transport", "runningnode"]


def test_page_with_nothing_running_says_so(pages):
    text = pages.get("runningnode_changelist").content.decode()
    assert "No node has reported" in text
    assert '<dd id="wamp-revision">0</dd>' in text


def test_page_tells_who_is_up_to_date_and_who_is_not(pages, monkeypatch):
    store.replace(node(ws={"type": "websocket"}))
    revision = store.revision()
    nodes.report("good", 1, revision)
    nodes.report("late", 1, revision - 1, "a <b>fault</b>")
    nodes.report("behind", 1, revision - 1)
    nodes.report("filed", 1, None, source="config.json")
    nodes.report("gone", 1, revision)
    nodes.report("dead", 1, revision)
    RunningNode.objects.filter(name="gone").update(seen_at=timezone.now() - timedelta(seconds=45))
    RunningNode.objects.filter(name="dead").update(seen_at=timezone.now() - timedelta(seconds=65))
    text = pages.get("runningnode_changelist").content.decode()
    for words in ("up to date", "refused a newer one", "behind", "not from the database", "not seen", "45 s ago"):
        assert words in text
    assert "dead" not in text
    assert f"revision {revision}" in text
    assert "a &lt;b&gt;fault&lt;/b&gt;" in text


def test_page_shows_the_state_of_the_nodes_in_their_cluster(pages):
    nodes.report("alone", 1, 0)
    assert "wamp-cluster" not in pages.get("runningnode_changelist").content.decode()
    one = NodeState("shop", "{p}:1:", "A", "joined", (PeerState("B", "silent", 2048),), 3, 11, 12, 13, 15, 14, (1, 2))
    nodes.report("one", 1, 0, cluster=to_json(one))
    nodes.report("other", 1, 0, cluster=to_json(NodeState("shop", "{p}:1:", "B", "joined", (PeerState("A", "open"),))))
    nodes.report("lonely", 1, 0, cluster=to_json(NodeState("test", "q", "C", "cut off")))
    assert cluster_cells(pages.get("runningnode_changelist").content.decode()) == [
        ["lonely", "test", "cut off from Redis", "unknown", "q", "1", "0 bytes", "0", "0", "0", "0", "0", "0"],
        ["one", "shop", "open", "1 to 2", "1", "2", "0 bytes", "3", "11", "12", "13", "15", "14"],
        ["other", "shop", "silent", "unknown", "1", "2", "2.0 KB", "0", "0", "0", "0", "0", "0"],
    ]


def cluster_cells(text):
    """The texts in the table of the nodes in their cluster."""
    table = text[text.index('id="wamp-cluster"') : text.index("</table>", text.index('id="wamp-cluster"'))]
    rows = [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in table.split("<tr>")[2:]]
    return [[re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", cell)).strip() for cell in row] for row in rows]


def test_page_marks_nodes_that_exchange_no_messages(pages):
    other = IncompatibleMember("B", "other <1>", (2, 3))
    one = NodeState("shop", "{p}:1:", "A", "joined", protocols=(1, 1), incompatible=(other,))
    nodes.report("one", 1, 0, cluster=to_json(one))
    (cells,) = cluster_cells(pages.get("runningnode_changelist").content.decode())
    state = "incompatible exchanges no messages with other &lt;1&gt; (protocol 2 to 3)"
    assert cells[:5] == ["one", "shop", state, "1", "1"]


def test_page_tells_faults_and_notices_of_what_is_stored(pages):
    store.replace(node(old={"type": "longpoll"}))
    Transport.objects.create(endpoint_type="tcp", port="8080")
    text = pages.get("runningnode_changelist").content.decode()
    assert "listens on the same port" in text
    assert "1 fault" in text


def test_rows_of_nodes_are_read_only(pages):
    nodes.report("main", 1, 1)
    row = RunningNode.objects.get()
    pages.get("runningnode_change", row.pk)
    url = reverse("admin:wamp_transport_runningnode_change", args=[row.pk])
    assert pages.client.post(url, {"name": "other"}).status_code == 403
    assert pages.client.get(reverse("admin:wamp_transport_runningnode_add")).status_code == 403
    assert pages.client.post(reverse("admin:wamp_transport_runningnode_delete", args=[row.pk])).status_code == 403


def test_every_list_links_to_the_page(pages):
    url = reverse("admin:wamp_transport_runningnode_changelist")
    for name in CHANGELISTS[:-1]:
        assert f'href="{url}"' in pages.get(f"{name}_changelist").content.decode()


@pytest.mark.parametrize("name", CHANGELISTS)
def test_pages_are_closed_without_permission(pages_with, name):
    pages = pages_with("view_user")
    assert pages.client.get(reverse(f"admin:wamp_transport_{name}_changelist")).status_code == 403
    if name != "runningnode":
        assert pages.client.get(reverse(f"admin:wamp_transport_{name}_add")).status_code == 403


@pytest.mark.parametrize("name", CHANGELISTS)
def test_pages_are_closed_to_the_unknown(client, name):
    assert client.get(reverse(f"admin:wamp_transport_{name}_changelist")).status_code == 302


def test_viewer_reads_and_changes_nothing(pages_with):
    store.replace(node(ws={"type": "websocket"}))
    models = ("webpath", "transport", "realm", "role", "permissionrule")
    pages = pages_with(*(f"view_{name}" for name in models))
    service, realm = WebPath.objects.get(), Realm.objects.get()
    rows = {"webpath": service.pk, "transport": service.transport_id, "realm": realm.pk}
    rows["role"] = realm.roles.get().pk
    for name, pk in rows.items():
        page = pages.get(f"{name}_change", pk)
        assert "_save" not in page.content.decode()
        assert pages.client.post(page.request["PATH_INFO"], {"path": "x", "name": "x"}).status_code == 403
    assert (
        "addlink" not in pages.get("transport_change", service.transport_id).content.decode().split("wamp-services")[1]
    )


def test_editor_of_services_alone_edits_services(pages_with):
    store.replace(node(ws={"type": "websocket"}))
    pages = pages_with("change_webpath", "view_webpath")
    service = WebPath.objects.get()
    pages.save(pages.get("webpath_change", service.pk), attr_options__max_frame_size="5")
    service.refresh_from_db()
    assert service.settings == {"options": {"max_frame_size": 5}}
