"""The pages of transports."""

import pytest

from tests.certificates import Authority
from tests.django.configurations import node
from wamp_transport.models import Transport, WebPath
from wamp_transport.stores import configuration as store

pytestmark = [pytest.mark.django_db, pytest.mark.long]


@pytest.fixture
def transport():
    store.replace(node(ws={"type": "websocket"}))
    return Transport.objects.get()


@pytest.mark.parametrize("kind", ["web", "websocket"])
def test_transport_is_added_with_its_endpoint(pages, kind):
    page = pages.get("transport_add", type=kind)
    pages.save(page, endpoint_type="tcp", port="8081", interface="127.0.0.1", backlog="9", attr_endpoint__version="4")
    (built,) = store.load(".").transports
    assert (built.endpoint.port, built.endpoint.interface, built.endpoint.backlog) == (8081, "127.0.0.1", 9)
    assert Transport.objects.get().settings == {"endpoint": {"version": 4}}
    assert [one.type for one in built.paths] == ([] if kind == "web" else ["websocket"])


def test_adding_begins_with_the_type(pages):
    text = pages.get("transport_add").content.decode()
    assert 'href="?type=web"' in text
    assert 'href="?type=websocket"' in text
    assert not Transport.objects.exists()


def test_options_of_a_websocket_transport_have_fields(pages):
    page = pages.get("transport_add", type="websocket")
    pages.save(page, endpoint_type="unix", socket_path="run/sock", attr_options__max_frame_size="9")
    transport = Transport.objects.get()
    assert transport.settings == {"options": {"max_frame_size": 9}}
    errors = pages.refused(pages.get("transport_change", transport.pk), attr_options__max_frame_size="x")
    assert list(errors) == ["attr_options__max_frame_size"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"port": "0"}, "port", "expected a port from 1 to 65535"),
        ({"port": "http"}, "port", "expected a port from 1 to 65535"),
        ({"port": "$NOT_SET_ANYWHERE"}, "port", "environment variable NOT_SET_ANYWHERE is not set"),
        ({"port": ""}, "port", "required and missing"),
        ({"interface": "a b"}, "interface", "expected"),
        ({"interface": "::1", "attr_endpoint__version": "4"}, "attr_endpoint__version", "expected 6"),
        ({"backlog": "0"}, "backlog", "from 1 to 65535"),
        ({"socket_path": "x"}, "socket_path", "does not belong to an endpoint of type tcp"),
        ({"endpoint_type": "unix"}, "port", "does not belong to an endpoint of type unix"),
        ({"endpoint_type": "unix", "port": ""}, "socket_path", "required and missing"),
        ({"endpoint_type": ""}, "port", "Choose what to listen on"),
        ({"attr_id": "X"}, "attr_id", "3 to 64 characters"),
    ],
)
def test_wrong_value_is_refused_at_its_field(pages, transport, changes, field, message):
    errors = pages.refused(pages.get("transport_change", transport.pk), **changes)
    assert field in errors
    assert set(errors) <= {field, "endpoint_type", "socket_path"}
    assert message in errors[field][0]


def test_port_from_the_environment_is_kept_as_a_name(pages, transport, monkeypatch):
    monkeypatch.setenv("WAMP_TEST_PORT", "8123")
    pages.save(pages.get("transport_change", transport.pk), port="$WAMP_TEST_PORT")
    assert store.to_mapping()["workers"][0]["transports"][0]["endpoint"]["port"] == "$WAMP_TEST_PORT"
    assert store.load(".").transports[0].endpoint.port == 8123


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"endpoint_type": "tcp", "port": "8080"}, "port"),
        ({"endpoint_type": "tcp", "port": "8080", "interface": "127.0.0.1"}, "port"),
        ({}, "endpoint_type"),
    ],
)
def test_endpoint_that_is_taken_is_refused(pages, transport, given, field):
    errors = pages.refused(pages.get("transport_add", type="web"), **given)
    assert list(errors) == [field]
    assert "listens on the same port" in errors[field][0]
    assert Transport.objects.count() == 1


def test_id_that_is_taken_is_refused_at_its_field(pages, transport):
    Transport.objects.update(settings={"id": "abc"})
    page = pages.get("transport_add", type="web")
    errors = pages.refused(page, endpoint_type="tcp", port="81", attr_id="abc")
    assert "already taken" in errors["attr_id"][0]


def test_disabled_transport_may_share_an_endpoint_until_it_is_enabled(pages, transport):
    page = pages.get("transport_add", type="web")
    pages.save(page, endpoint_type="tcp", port="8080", enabled="")
    other = Transport.objects.exclude(pk=transport.pk).get()
    assert not other.enabled
    assert "port" in pages.refused(pages.get("transport_change", other.pk), enabled="on")


def test_other_kind_of_endpoint_drops_what_was_of_the_former(pages, transport):
    Transport.objects.update(settings={"endpoint": {"version": 4, "shared": True, "interface": ""}})
    page = pages.get("transport_change", transport.pk)
    pages.save(page, endpoint_type="unix", port="", socket_path="sock", attr_endpoint__version="")
    endpoint = store.to_mapping()["workers"][0]["transports"][0]["endpoint"]
    assert endpoint == {"type": "unix", "path": "sock"}


def test_endpoint_removed_leaves_nothing_of_it(pages, transport):
    Transport.objects.update(settings={"endpoint": {"shared": True}})
    pages.save(pages.get("transport_change", transport.pk), endpoint_type="", port="")
    assert "endpoint" not in store.to_mapping()["workers"][0]["transports"][0]


def test_page_saved_untouched_changes_nothing(pages, transport):
    given = {"max_connections": 9, "options": {"hsts": True}, "endpoint": {"interface": "", "user_timeout": None}}
    Transport.objects.update(settings=given)
    before = store.to_mapping()
    pages.save(pages.get("transport_change", transport.pk))
    assert store.to_mapping() == before


def test_page_lists_the_services_with_links(pages, transport):
    text = pages.get("transport_change", transport.pk).content.decode()
    service = WebPath.objects.get()
    assert f'href="/admin/wamp_transport/webpath/{service.pk}/change/">/ws</a>' in text
    assert f"?transport={transport.pk}&amp;type=static" in text
    assert "/ws" in pages.get("transport_changelist").content.decode()


def test_transport_of_a_type_not_offered_keeps_what_it_has(pages):
    mapping = node()
    other = {"type": "rawsocket", "endpoint": {"type": "tcp", "port": 8081}, "options": {"x": None}}
    mapping["workers"][0]["transports"].append(other)
    store.replace(mapping)
    row = Transport.objects.get(type="rawsocket")
    page = pages.get("transport_change", row.pk)
    assert "rawsocket: not offered yet" in page.content.decode()
    pages.save(page, order="3")
    assert store.to_mapping() == mapping


def test_transport_with_two_services_on_a_path_can_still_be_opened(pages):
    store.replace(node(a={"type": "path", "paths": {"/": {"type": "nodeinfo"}}}))
    transport = Transport.objects.get()
    WebPath.objects.create(transport=transport, path="a", type="websocket")
    pages.get("transport_change", transport.pk)
    assert "two services on /a" in pages.get("runningnode_changelist").content.decode()


# --- TLS, limits, proxies --------------------------------------------------------------------------------------------


def test_tls_is_given_as_paths_of_files_that_are_looked_at(pages, tmp_path):
    key, certificate = Authority().issue().write(tmp_path, "server")
    given = {"endpoint_type": "tcp", "port": "8443", "attr_endpoint__tls__certificate": str(certificate)}
    page = pages.get("transport_add", type="web")
    errors = pages.refused(page, **given)
    assert list(errors) == ["attr_endpoint__tls__key"]
    errors = pages.refused(page, **given, attr_endpoint__tls__key=str(tmp_path / "gone"))
    assert "there is no such file" in errors["attr_endpoint__tls__key"][0]
    pages.save(page, **given, attr_endpoint__tls__key=str(key))
    (built,) = store.load(".").transports
    assert built.listening.tls.key == str(key)
    shown = pages.get("transport_change", Transport.objects.get().pk).content.decode()
    assert "PRIVATE KEY" not in shown
    assert str(key) in shown


def test_key_itself_in_the_place_of_its_path_is_refused_and_not_shown_in_the_message(pages):
    text = Authority().issue().key_pem.decode()
    page = pages.get("transport_add", type="web")
    errors = pages.refused(page, endpoint_type="tcp", port="8443", attr_endpoint__tls__key=text)
    assert "expected the path of a file" in errors["attr_endpoint__tls__key"][0]
    assert "BEGIN" not in str(errors)


def test_limits_and_proxies_have_fields(pages, transport):
    page = pages.get("transport_change", transport.pk)
    errors = pages.refused(page, attr_trusted_proxies="10.0.0.1/8", attr_max_connections_per_address="0")
    assert set(errors) == {"attr_trusted_proxies", "attr_max_connections_per_address"}
    pages.save(page, attr_trusted_proxies="10.0.0.0/8\nunix", attr_max_connections="7", attr_options__hsts="true")
    (built,) = store.load(".").transports
    assert (built.trusted_proxies, built.max_connections, built.options.hsts) == (("10.0.0.0/8", "unix"), 7, True)
