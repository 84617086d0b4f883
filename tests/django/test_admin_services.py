"""The pages of paths: each option can be set, kept and cleared; mistakes appear where they are."""

import copy
import io
import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import check_password
from django.core.management import call_command

from tests.django.configurations import node
from wamp_transport.admin.attribute_fields import ABSENT, field_name, from_text, to_text
from wamp_transport.admin.logins import OFF
from wamp_transport.admin.row_form import value_at
from wamp_transport.config.configuration import anonymous_login
from wamp_transport.config.forms import fields_of, service_types
from wamp_transport.models import Transport, WebPath
from wamp_transport.router.options import AnonymousLogin
from wamp_transport.stores import configuration as store

pytestmark = [pytest.mark.django_db, pytest.mark.long]

MINIMAL = {
    "websocket": {},
    "static": {"directory": "files"},
    "json": {"value": 1},
    "redirect": {"url": "https://example.com/"},
    "nodeinfo": {},
    "path": {},
}
OTHER_VALUES = {
    "auth.token.default-role": "anonymous",
    "auth.django-session.default-role": "anonymous",
    "auth.django-session.trusted_origins": ["https://app.example.com"],
    "url": "ws://localhost/here",
    "id": "an_id",
    "serializers": ["json", "cbor"],
    "auth.anonymous.type": "static",
    "auth.anonymous.role": "guest",
    "auth.anonymous.authid": "someone",
    "auth.ticket.type": "static",
    "auth.ticket.principals": {"joe": {"ticket": "${HOME}"}, "jim": {"ticket_hash": "md5$a$b", "role": "guest"}},
    "auth.ticket.default-role": "guest",
    "auth.ticket.authenticator": "com.example.other",
    "auth.ticket.authenticator-realm": "realm1",
    "auth.ticket.authenticator-role": "guest",
    "auth.ticket.create": "package.module.other",
    "auth.ticket.config": {"a": [1]},
    "auth.wampcra.users": {"joe": {"derived_key": "aHVzaA==", "salt": "s", "iterations": 3, "keylen": 4}},
    "auth.scram.principals": {
        "joe": {"kdf": "pbkdf2", "iterations": 3, "salt": "00" * 8, "stored-key": "11" * 32, "server-key": "22" * 32}
    },
    "auth.cryptosign.principals": {"joe": {"authorized_keys": ["ab" * 32]}},
    "auth.cryptosign.router_key": "${ROUTER_KEY}",
    "auth.tls.principals": {"joe": {"certificate-sha1": "AB" * 20}},
    "auth.cookie": {},
    "options.allowed_origins": ["https://example.com", "same-origin"],
    "options.mime_types": {".md": "text/markdown"},
    "options.default_file": "index.html",
    "options.outgoing_policy": "drop",
    "cookie.name": "visitor",
    "cookie.store.type": "memory",
    "cookie.store.filename": "cookies.txt",
    "cookie.same_site": "Strict",
    "directory": "elsewhere",
    "value": {"a": [1, None, "ü"]},
}
TWINS = ("anonymous", "wampcra", "scram", "cryptosign", "tls")


def is_twin(path):
    """Whether an attribute is the same as one of the ticket method, in another place."""
    *above, key = path.split(".")
    return above in [["auth", name] for name in TWINS] and f"auth.ticket.{key}" in SHARED and path not in OTHER_VALUES


SHARED = {
    f"auth.ticket.{key}"
    for key in (
        "type",
        "default-role",
        "authenticator",
        "authenticator-realm",
        "authenticator-role",
        "create",
        "config",
    )
}
OFFERED = [
    (kind, attribute)
    for kind in service_types()
    for attribute in fields_of(kind)
    if attribute.offered and attribute.path not in ("paths", "package", "resource") and not is_twin(attribute.path)
]


def other_value(kind, attribute):
    """A good value that is not the default."""
    if kind == "redirect" and attribute.path == "url":
        return "/other/"
    if attribute.path in OTHER_VALUES:
        return OTHER_VALUES[attribute.path]
    if attribute.kind == "bool":
        return not attribute.default
    return attribute.maximum or 20_000


TICKETS = {"type": "static", "principals": {"joe": {"ticket": "hush"}}}
DYNAMIC = {"auth": {"ticket": {"type": "dynamic", "authenticator": "com.example.first"}}}
FUNCTION = {"auth": {"ticket": {"type": "function", "create": "package.module.first"}}}
CONTEXT = {
    "cookie.store.filename": {"cookie": {"store": {"type": "file", "filename": "first.txt"}}},
    "auth.ticket.type": {"auth": {"ticket": TICKETS}},
    "auth.ticket.default-role": {"auth": {"ticket": TICKETS}},
    "auth.ticket.authenticator": DYNAMIC,
    "auth.ticket.authenticator-realm": DYNAMIC,
    "auth.ticket.authenticator-role": DYNAMIC,
    "auth.ticket.create": FUNCTION,
    "auth.ticket.config": FUNCTION,
    "auth.ticket.principals": {"auth": {"ticket": TICKETS}},
    "auth.wampcra.users": {},
    "auth.scram.principals": {},
    "auth.cryptosign.principals": {},
    "auth.cryptosign.router_key": {"auth": {"cryptosign": {"type": "static", "principals": {}}}},
    "auth.tls.principals": {},
}
"""What a service must have before an attribute makes sense."""
APART = {"options.enable_hybi10", "cookie.store.type"}
"""What does not go with the other values of its group."""


def service(kind, **settings):
    """A stored service on /here."""
    if kind == "path":
        settings["paths"] = {}
    store.replace(node(here={"type": kind, **MINIMAL[kind], **settings}))
    return WebPath.objects.get()


def named(path, kind="websocket"):
    """The form field of an attribute."""
    return next(field_name(one) for one in fields_of(kind) if one.path == path)


ANONYMOUS = named("auth.anonymous.type")


@pytest.fixture(autouse=True)
def router_key(monkeypatch):
    """The environment that rows may refer to."""
    monkeypatch.setenv("ROUTER_KEY", "ab" * 32)


@pytest.mark.parametrize("kind", service_types())
def test_every_type_has_pages_that_load(pages, kind):
    row = service(kind)
    assert "/here" in pages.get("webpath_changelist").content.decode()
    page = pages.get("webpath_change", row.pk)
    assert f"&quot;type&quot;: &quot;{kind}&quot;" in page.content.decode()
    pages.get("webpath_add", type=kind)
    pages.get("webpath_history", row.pk)
    pages.get("webpath_delete", row.pk)


def together():
    """The attributes of each type, those that need no context and are of one group in one go: a page takes its time."""
    groups = {}
    for kind, attribute in OFFERED:
        alone = attribute.path in CONTEXT or attribute.path in MINIMAL[kind] or attribute.path in APART
        groups.setdefault((kind, attribute.path if alone else attribute.path.split(".")[0]), []).append(attribute)
    return [pytest.param(kind, attributes, id=f"{kind}-{group}") for (kind, group), attributes in groups.items()]


@pytest.mark.full  # a page for each option
@pytest.mark.parametrize(("kind", "attributes"), together())
def test_every_option_is_set_kept_and_cleared(pages, kind, attributes):
    row = service(kind, **CONTEXT.get(attributes[0].path, {}))
    values = [(attribute, other_value(kind, attribute)) for attribute in attributes]
    entered = {field_name(attribute): to_text(attribute, value) for attribute, value in values}
    if attributes[0].path.startswith("auth.") and "auth" not in row.settings:
        entered = {ANONYMOUS: OFF, **entered}
    pages.save(pages.get("webpath_change", row.pk), **entered)
    row.refresh_from_db()
    for attribute, value in values:
        assert value_at(row.settings, attribute.path) == value, attribute.path
    stored = copy.deepcopy(row.settings)

    page = pages.get("webpath_change", row.pk)
    pages.save(page)
    row.refresh_from_db()
    assert row.settings == stored

    if attributes[0].path in MINIMAL[kind] or attributes[0].path in CONTEXT:
        return
    pages.save(page, **dict.fromkeys(entered, ""))
    row.refresh_from_db()
    for attribute in attributes:
        assert value_at(row.settings, attribute.path) is ABSENT, attribute.path
    assert "options" not in row.settings


@pytest.mark.parametrize("kind", service_types())
def test_every_option_has_a_help_text_and_a_group(pages, kind):
    page = pages.get("webpath_add", type=kind)
    form = page.context["adminform"]
    shown = {name for _, options in form.fieldsets for name in options["fields"]}
    for attribute in [attribute for of, attribute in OFFERED if of == kind]:
        field = form.form.fields[field_name(attribute)]
        assert field.label, attribute.path
        assert attribute.path in field.help_text
        assert field_name(attribute) in shown


BAD = {"bool": "maybe", "int": "12.5", "str": "a\x00b", "list[str]": "a\x00b", "choice": "nothing", "json": "{"}
"""For each kind of attribute a text that is none."""


@pytest.mark.parametrize("kind", service_types())
def test_bad_value_of_every_option_is_refused_at_its_field(pages, kind):
    row = service(kind)
    bad = {field_name(attribute): BAD[attribute.kind] for of, attribute in OFFERED if of == kind}
    errors = pages.refused(pages.get("webpath_change", row.pk), **bad)
    assert set(bad) - set(errors) == set()
    row.refresh_from_db()
    assert row.settings == MINIMAL[kind]


WRONG = [
    ("options.max_frame_size", "-1", "expected an integer from 0 to 67108864 (bytes), found -1"),
    ("options.max_frame_size", "many", 'expected an integer from 0 to 67108864 (bytes), found "many"'),
    ("options.max_frame_size", "1.5", 'found "1.5"'),
    ("options.max_frame_size", "9" * 5000, "expected an integer from 0 to 67108864"),
    ("options.auto_ping_interval", "5", "expected 0, or at least 1000 milliseconds, found 5 (1 s is 1000)"),
    ("options.auto_ping_size", "3", "expected an integer from 12 to 125 (bytes), found 3"),
    ("options.enable_webstatus", "maybe", 'expected true or false, found "maybe"'),
    ("options.external_port", "0", "from 1 to 65535"),
    ("serializers", "jason", 'unknown serializer "jason"'),
    ("serializers", "[]", "expected at least one serializer, found an empty list"),
    ("id", "X", "3 to 64 characters"),
    ("auth.anonymous.role", "trusted", "role trusted is the router's own"),
    ("auth.ticket.principals", '{"joe": {"ticket": "********"}}', "enter it"),
    ("auth.anonymous.type", "nothing", "expected one of"),
    ("url", "http://localhost/here", "starts with ws:// or wss://"),
    ("url", "ws://localhost/there", 'expected a URL with the path of the service, "/here"'),
    ("url", "ws://a\x00b/here", "Null characters are not allowed."),
]
"""Attributes of a WebSocket service, what is entered for them, and what is said of it."""


@pytest.mark.full  # a page for each value
def test_wrong_value_is_refused_at_its_field(pages):
    row = service("websocket")
    page = pages.get("webpath_change", row.pk)
    for path, text, message in WRONG:
        errors = pages.refused(page, **{named(path): text})
        assert list(errors) == [named(path)], (path, text)
        assert message in errors[named(path)][0], (path, text)
    row.refresh_from_db()
    assert row.settings == {}


WRONG_ELSEWHERE = {
    "static": [
        ("options.mime_types", "{", "Not valid JSON: line 1"),
        ("options.mime_types", "[]", "expected an object, found a list"),
        ("options.mime_types", '{"md": "text/markdown"}', "starts with a dot"),
        ("options.mime_types", "[" * 100_000, "Nested too deeply"),
        ("options.cache_timeout", "soon", "expected an integer, 0 or more (s), or null"),
    ],
    "redirect": [
        ("url", "", "required and missing"),
        ("url", "a b", "printable ASCII"),
    ],
    "json": [
        ("value", "", "required and missing"),
        ("value", "NaN", "not a number"),
        ("value", "9" * 5000, "too many digits"),
    ],
}


@pytest.mark.parametrize("kind", WRONG_ELSEWHERE)
def test_wrong_value_of_another_type_is_refused_at_its_field(pages, kind):
    page = pages.get("webpath_change", service(kind).pk)
    for path, text, message in WRONG_ELSEWHERE[kind]:
        errors = pages.refused(page, **{named(path, kind): text})
        assert message in errors[named(path, kind)][0], (path, text)


def test_all_mistakes_are_told_together(pages):
    row = service("websocket")
    changes = {named("options.max_frame_size"): "x", named("serializers"): "y", "path": "a b"}
    errors = pages.refused(pages.get("webpath_change", row.pk), **changes)
    assert set(errors) == set(changes)


def test_mistake_between_attributes_is_told_above_the_form(pages):
    row = service("static")
    errors = pages.refused(pages.get("webpath_change", row.pk), **{named("directory", "static"): ""})
    assert "either `directory`, or `package` and `resource`" in errors["__all__"][0]


def test_null_that_means_something_is_entered_as_a_word(pages):
    row = service("static")
    name = named("options.cache_timeout", "static")
    pages.save(pages.get("webpath_change", row.pk), **{name: "null"})
    row.refresh_from_db()
    assert row.settings["options"] == {"cache_timeout": None}
    assert pages.get("webpath_change", row.pk).context["adminform"].form[name].value() == "null"


def test_json_null_is_a_value(pages):
    row = service("json")
    pages.save(pages.get("webpath_change", row.pk), **{named("value", "json"): "null"})
    row.refresh_from_db()
    assert row.settings == {"value": None}


KEPT = {
    "id": None,
    "url": None,
    "auth": {"anonymous": {"type": "static", "realm": "ignored", "authid": None}},
    "cookie": {"store": {"type": "memory"}, "max_age": 5},
    "options": {
        "compression": {"deflate": {"memory_level": 3}},
        "enable_flash_policy": True,
        "external_port": None,
        "allowed_origins": [],
    },
}


def test_attributes_not_offered_and_explicit_nulls_survive_an_edit(pages):
    row = service("websocket", **copy.deepcopy(KEPT))
    page = pages.get("webpath_change", row.pk)
    text = page.content.decode()
    assert "options.compression.deflate.memory_level" in text
    assert "Flash is gone" in text
    pages.save(page, **{named("options.max_frame_size"): "5"})
    row.refresh_from_db()
    expected = copy.deepcopy(KEPT)
    expected["options"]["max_frame_size"] = 5
    assert row.settings == expected


def test_page_saved_untouched_changes_no_settings(pages):
    row = service("websocket", **copy.deepcopy(KEPT))
    before = store.to_mapping()
    pages.save(pages.get("webpath_change", row.pk))
    assert store.to_mapping() == before


def test_service_of_a_type_not_offered_keeps_what_it_has(pages):
    store.replace(node(old={"type": "longpoll", "options": {"x": [1, None]}}))
    row = WebPath.objects.get()
    page = pages.get("webpath_change", row.pk)
    assert "longpoll: not offered yet" in page.content.decode()
    pages.save(page, path="older")
    assert store.to_mapping()["workers"][0]["transports"][0]["paths"] == {
        "older": {"type": "longpoll", "options": {"x": [1, None]}}
    }


def test_role_without_a_login_type_makes_it_static(pages):
    row = service("websocket")
    pages.save(pages.get("webpath_change", row.pk), **{named("auth.anonymous.role"): "anonymous"})
    row.refresh_from_db()
    assert row.settings == {"auth": {"anonymous": {"type": "static", "role": "anonymous"}}}


SESSION, DEFAULT_ROLE = named("auth.django-session.enabled"), named("auth.django-session.default-role")


def default_of(page, name):
    """What a select says about its default."""
    return dict(page.context["adminform"].form.fields[name].widget.choices)[""]


@pytest.mark.parametrize("method", ["django-session", "token"])
def test_default_of_a_login_is_that_in_force(pages, method):
    name = named(f"auth.{method}.enabled")
    page = pages.get("webpath_change", service("websocket").pk)
    assert default_of(page, name) == "Default (no, as long as no field of this group is set)"
    assert "Default: yes" not in page.context["adminform"].form.fields[name].help_text
    assert default_of(pages.get("webpath_add", type="websocket"), name).startswith("Default (no")
    page = pages.get("webpath_change", service("websocket", auth={method: {"default-role": "anonymous"}}).pk)
    assert default_of(page, name) == "Default (yes)"


@pytest.mark.parametrize("changes", [{SESSION: "true"}, {DEFAULT_ROLE: "anonymous"}, {SESSION: "false"}])
def test_switching_django_session_on_does_not_switch_anonymous_login_off(pages, changes):
    row = service("websocket")
    page = pages.get("webpath_change", row.pk)
    assert page.context["adminform"].form[ANONYMOUS].value() == ""
    assert default_of(page, ANONYMOUS) == "Default (yes, as long as no other login is configured)"
    (errors,) = pages.refused(page, **changes).items()
    assert errors[0] == ANONYMOUS
    assert "Choose static to let them in, or No to refuse them." in errors[1][0]

    pages.save(page, **changes, **{ANONYMOUS: "static"})
    (stored,) = store.load(".").services
    assert anonymous_login(stored.settings) == AnonymousLogin()

    pages.save(pages.get("webpath_change", row.pk), **{ANONYMOUS: OFF})
    (stored,) = store.load(".").services
    assert anonymous_login(stored.settings) is None
    page = pages.get("webpath_change", row.pk)
    assert page.context["adminform"].form[ANONYMOUS].value() == OFF
    pages.save(page)


def test_anonymous_login_is_off_only_with_another_login_and_without_attributes(pages):
    page = pages.get("webpath_change", service("websocket").pk)
    assert "Without any other login" in pages.refused(page, **{ANONYMOUS: OFF})[ANONYMOUS][0]
    changes = {ANONYMOUS: OFF, SESSION: "true", named("auth.anonymous.role"): "anonymous"}
    assert "other fields are not empty" in pages.refused(page, **changes)[ANONYMOUS][0]


def test_removing_the_last_login_does_not_let_anonymous_clients_in(pages):
    row = service("websocket", auth={"django-session": {"enabled": True}})
    page = pages.get("webpath_change", row.pk)
    assert ANONYMOUS in pages.refused(page, **{SESSION: ""})
    pages.save(page, **{SESSION: "", ANONYMOUS: ""})
    row.refresh_from_db()
    assert row.settings == {}


def test_role_that_no_realm_has_is_saved_with_a_warning(pages):
    row = service("websocket")
    response = pages.client.post(
        f"/admin/wamp_transport/webpath/{row.pk}/change/",
        {"transport": row.transport_id, "path": "here", named("auth.anonymous.role"): "nobody"},
        follow=True,
    )
    assert "no realm has the role &quot;nobody&quot;" in response.content.decode()


def test_service_that_nobody_can_join_is_saved_with_a_warning(pages):
    store.replace({"workers": [{"type": "router", "realms": [], "transports": [{"type": "web", "paths": {}}]}]})
    page = pages.get("webpath_add", type="websocket")
    pages.save(page, path="ws")
    assert "nobody can join" in pages.get("webpath_changelist").content.decode()
    assert "nobody can join" in pages.get("runningnode_changelist").content.decode()


def test_adding_begins_with_the_type(pages):
    store.replace(node())
    page = pages.get("webpath_add", transport=7)
    text = page.content.decode()
    for kind in service_types():
        assert f'href="?transport=7&amp;type={kind}"' in text
    assert pages.get("webpath_add", type="longpoll").templates[0].name == "admin/wamp_transport/choose_type.html"
    assert pages.client.post("/admin/wamp_transport/webpath/add/", {"path": "x"}).status_code == 200
    assert not WebPath.objects.exists()


def test_service_added_is_of_the_type_chosen(pages):
    store.replace(node())
    transport = Transport.objects.get()
    page = pages.get("webpath_add", type="websocket")
    assert page.context["adminform"].form["transport"].value() == transport.pk
    pages.save(page, path="/app/ws/", **{named("options.max_frame_size"): "100"})
    row = WebPath.objects.get()
    assert (row.type, row.path, row.settings) == ("websocket", "app/ws", {"options": {"max_frame_size": 100}})
    assert [one.path for one in store.load(".").services] == ["/app/ws"]


def test_path_that_is_taken_is_refused_at_the_path(pages):
    row = service("websocket")
    errors = pages.refused(pages.get("webpath_add", type="nodeinfo"), path="here", transport=row.transport_id)
    assert errors == {"path": ["This transport has a service on /here already."]}


def test_same_path_of_another_transport_is_free(pages):
    service("websocket")
    other = Transport.objects.create(endpoint_type="tcp", port="81")
    pages.save(pages.get("webpath_add", type="nodeinfo"), path="here", transport=other.pk)


def test_fault_elsewhere_does_not_keep_a_good_edit_back(pages):
    row = service("websocket")
    Transport.objects.create(endpoint_type="tcp", port="8080")
    pages.save(pages.get("webpath_change", row.pk), path="there")


HOSTILE = "\"><script>alert(1)</script>&'{{ x }}{% x %}"


def test_hostile_values_are_escaped_everywhere(pages):
    store.replace(node(here={"type": "websocket", "auth": {"anonymous": {"type": "static", "authid": HOSTILE}}}))
    row = WebPath.objects.get()
    for page in (
        pages.get("webpath_change", row.pk),
        pages.get("webpath_changelist"),
        pages.get("transport_change", row.transport_id),
        pages.get("runningnode_changelist"),
    ):
        assert "<script>alert" not in page.content.decode()
    response = pages.send(pages.get("webpath_change", row.pk), path=HOSTILE, **{named("serializers"): HOSTILE})
    assert "<script>alert" not in response.content.decode()
    assert "&lt;script&gt;alert" in response.content.decode()


@pytest.mark.parametrize("name", ["webpath_change", "transport_change", "runningnode_changelist", "webpath_add"])
def test_pages_hold_no_script_and_style_of_ours_inline(pages, name):
    row = service("websocket")
    args = [row.pk] if name == "webpath_change" else [row.transport_id] if name == "transport_change" else []
    text = pages.get(name, *args, **({"type": "websocket"} if name.endswith("add") else {})).content.decode()
    assert "style=" not in text
    assert "<style" not in text
    assert "onclick" not in text
    assert all('src="' in tag or "application/json" in tag for tag in text.split("<script")[1:])


@pytest.mark.parametrize(
    "value", [True, False, None, 0, 5, "", "x", "null", [], ["a", "b"], {}, {"a": None}, 1.5, "true"]
)
def test_any_json_value_comes_back_from_its_text(value):
    attribute = next(one for one in fields_of("json") if one.path == "value")
    assert from_text(attribute, to_text(attribute, value)) == value


def test_secret_values_are_not_shown(pages):
    row = service("websocket")
    WebPath.objects.filter(pk=row.pk).update(settings={"auth": {"ticket": {"secret": "hush"}}})
    assert "hush" not in pages.get("webpath_change", row.pk).content.decode()


def test_secret_that_is_not_shown_is_kept_when_the_form_is_saved(pages):
    principals = {"joe": {"ticket": "hush", "role": "guest"}, "jim": {"ticket": "${HOME}"}}
    row = service("websocket", auth={"ticket": {"type": "static", "principals": principals}})
    kept = row.settings["auth"]["ticket"]["principals"]["joe"]["ticket_hash"]
    page = pages.get("webpath_change", row.pk)
    for hidden in ("hush", kept):
        assert hidden not in page.content.decode()
    assert "${HOME}" in page.content.decode()
    assert "ticket_hash&quot;: &quot;********" in page.content.decode()
    changed = {"joe": {"ticket_hash": "********", "role": "anonymous"}, "new": {"ticket": "psst"}}
    pages.save(page, **{named("auth.ticket.principals"): json.dumps(changed)})
    row.refresh_from_db()
    principals = row.settings["auth"]["ticket"]["principals"]
    assert principals["joe"] == {"ticket_hash": kept, "role": "anonymous"}
    assert set(principals["new"]) == {"ticket_hash"}
    assert check_password("psst", principals["new"]["ticket_hash"])


def test_secret_that_is_entered_is_nowhere_in_the_database(pages):
    row = service("websocket")
    entered = {
        ANONYMOUS: OFF,
        named("auth.ticket.principals"): json.dumps({"joe": {"ticket": "hush-hush"}}),
        named("auth.wampcra.users"): json.dumps({"ann": {"secret": "hush-hush"}}),
    }
    page = pages.get("webpath_change", row.pk)
    pages.save(page, **entered)
    pages.save(pages.get("transport_add", type="websocket"), endpoint_type="tcp", port="8081", **entered)
    assert WebPath.objects.get(pk=row.pk).settings["auth"]["ticket"]["principals"]["joe"]["ticket_hash"]
    assert LogEntry.objects.count() == 2
    everything = io.StringIO()
    call_command("dumpdata", stdout=everything)
    assert "derived_key" in everything.getvalue()
    assert "hush-hush" not in everything.getvalue()


def test_secret_of_another_form_takes_the_place_of_the_one_that_is_kept(pages):
    row = service("websocket", auth={"ticket": {"type": "static", "principals": {"joe": {"ticket": "hush"}}}})
    both = json.dumps({"joe": {"ticket_hash": "********", "ticket": "psst"}})
    page = pages.get("webpath_change", row.pk)
    assert "either" in str(pages.refused(page, **{named("auth.ticket.principals"): both}))
    pages.save(page, **{named("auth.ticket.principals"): json.dumps({"joe": {"ticket": "psst"}})})
    row.refresh_from_db()
    assert check_password("psst", row.settings["auth"]["ticket"]["principals"]["joe"]["ticket_hash"])


def test_secret_with_a_field_of_its_own_is_not_shown_and_kept_nowhere(pages):
    key, name = "5e" * 32, named("auth.cryptosign.router_key")
    row = service("websocket", auth={"cryptosign": {"type": "static", "principals": {}}})
    page = pages.get("webpath_change", row.pk)
    assert "${NAME}" in str(pages.refused(page, **{name: key})[name])
    assert "enter it" in str(pages.refused(page, **{name: "********"})[name])
    pages.save(page, **{name: "${ROUTER_KEY}"})
    assert "${ROUTER_KEY}" in pages.get("webpath_change", row.pk).content.decode()
    written = {"auth": {"cryptosign": {"type": "static", "principals": {}, "router_key": key}}}
    WebPath.objects.filter(pk=row.pk).update(settings=written)
    assert key not in pages.get("webpath_change", row.pk).content.decode()


def test_deleted_service_is_gone_from_the_configuration(pages):
    row = service("websocket")
    revision = store.revision()
    pages.client.post(f"/admin/wamp_transport/webpath/{row.pk}/delete/", {"post": "yes"})
    assert store.load(".").services == ()
    assert store.revision() > revision


def test_json_shown_is_the_mapping_stored(pages):
    row = service("websocket", options={"max_frame_size": 7})
    page = pages.get("webpath_change", row.pk)
    expected = json.dumps({"type": "websocket", "options": {"max_frame_size": 7}}, indent=2).replace('"', "&quot;")
    assert expected in page.content.decode()
