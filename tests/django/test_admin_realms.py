"""The pages of realms and roles."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from tests.django.configurations import node
from wamp_transport.models import PermissionRule, Principal, Realm, Role, UserRole
from wamp_transport.stores import configuration as store

pytestmark = [pytest.mark.django_db, pytest.mark.long]


@pytest.fixture
def role():
    store.replace(node(ws={"type": "websocket"}))
    return Role.objects.get()


def test_realm_is_added_with_a_role(pages):
    page = pages.get("realm_add")
    pages.save(page, **{"name": "realm2", "attr_options__uri_check": "loose", "roles-0-name": "anonymous"})
    (realm,) = store.load(".").realms
    assert (realm.name, realm.options.uri_check, [one.name for one in realm.roles]) == (
        "realm2",
        "loose",
        ["anonymous"],
    )


def test_limits_of_stored_data_are_edited(pages, role):
    given = {"max_retained_size": 1000, "max_retained_share": 10, "max_retained_age": 60, "max_history_size": 2000}
    page = pages.get("realm_change", role.realm_id)
    pages.save(page, **{f"attr_options__{name}": str(value) for name, value in given.items()}, attr_store__sync="true")
    (realm,) = store.load(".").realms
    assert {name: getattr(realm.options, name) for name in given} == given
    assert realm.store.sync is True


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"name": "x"}, "name", "expected 3 to 255"),
        ({"name": "<b>"}, "name", "expected 3 to 255"),
        ({"attr_options__uri_check": "none"}, "attr_options__uri_check", "expected one of"),
        ({"roles-0-name": "trusted"}, "roles-0-name", "role trusted is the router"),
        ({"roles-0-name": "a b"}, "roles-0-name", "without blanks"),
        ({"roles-1-name": "anonymous"}, "roles", "Please correct the duplicate data"),
    ],
)
def test_wrong_value_is_refused_at_its_field(pages, role, changes, field, message):
    errors = pages.refused(pages.get("realm_change", role.realm_id), **changes)
    assert field in errors
    assert message in " ".join(errors[field])


def test_realm_of_a_name_that_is_taken_is_refused(pages, role):
    assert list(pages.refused(pages.get("realm_add"), name="realm1")) == ["name"]


def test_realm_saved_untouched_changes_nothing(pages, role):
    mapping = node(ws={"type": "websocket"})
    mapping["workers"][0]["realms"][0] |= {
        "store": {"type": "memory", "event-history": [{"uri": "a.b"}]},
        "rlinks": [],
        "options": {"enable_meta_api": True},
    }
    mapping["workers"][0]["realms"][0]["roles"][0]["allow-by-default"] = False
    store.replace(mapping)
    realm = Realm.objects.get()
    pages.save(pages.get("realm_change", realm.pk))
    pages.save(pages.get("role_change", realm.roles.get().pk))
    assert store.to_mapping() == mapping


def test_role_of_a_realm_is_deleted(pages, role):
    pages.save(pages.get("realm_change", role.realm_id), **{"roles-0-DELETE": "on"})
    assert store.load(".").realms[0].roles == ()


def test_permissions_are_edited_line_by_line(pages, role):
    page = pages.get("role_change", role.pk)
    assert page.context["inline_admin_formsets"][0].formset.forms[0]["allow_call"].value() is True
    changes = {"permissions-0-allow_call": "", "permissions-0-disclose_caller": "on"}
    changes |= {
        "permissions-1-uri": "com.example.",
        "permissions-1-match": "prefix",
        "permissions-1-allow_publish": "on",
    }
    pages.save(page, **changes)
    assert store.to_mapping()["workers"][0]["realms"][0]["roles"][0]["permissions"] == [
        {"uri": "*", "allow": {"call": False, "subscribe": True}, "disclose": {"caller": True}},
        {"uri": "com.example.", "match": "prefix", "allow": {"publish": True}},
    ]


def test_flags_not_given_stay_so(pages, role):
    pages.save(pages.get("role_change", role.pk), **{"permissions-0-uri": "a*"})
    permission = PermissionRule.objects.get()
    assert (permission.allow_call, permission.allow_register, permission.cache) == (True, None, None)


def test_permission_for_everything_is_an_empty_uri(pages, role):
    changes = {"permissions-1-uri": "", "permissions-1-match": "prefix", "permissions-1-allow_call": "on"}
    pages.save(pages.get("role_change", role.pk), **changes)
    assert store.to_mapping()["workers"][0]["realms"][0]["roles"][0]["permissions"][1] == {
        "uri": "",
        "match": "prefix",
        "allow": {"call": True},
    }


@pytest.mark.parametrize(("uri", "message"), [("a b", "no blanks"), ("a.b*.c", "each * to be a whole component")])
def test_wrong_uri_is_refused_at_its_line(pages, role, uri, message):
    changes = {"permissions-1-uri": uri, "permissions-1-allow_call": "on"}
    errors = pages.refused(pages.get("role_change", role.pk), **changes)
    assert list(errors) == ["permissions-1-uri"]
    assert message in errors["permissions-1-uri"][0]


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("", None)])
def test_role_without_permissions_may_be_allowed_everything(pages, role, text, value):
    page = pages.get("role_change", role.pk)
    pages.save(page, **{"allow_by_default": text, "permissions-0-DELETE": "on"})
    role.refresh_from_db()
    assert role.allow_by_default is value
    mapping = store.to_mapping()["workers"][0]["realms"][0]["roles"][0]
    assert mapping.get("allow-by-default") is value
    assert mapping["permissions"] == []


def test_role_is_added_to_a_realm(pages, role):
    page = pages.get("role_add")
    pages.save(
        page, **{"realm": role.realm_id, "name": "user", "permissions-0-uri": "a", "permissions-0-allow_call": "on"}
    )
    assert [one.name for one in store.load(".").realms[0].roles] == ["anonymous", "user"]


def test_role_twice_in_a_realm_is_refused(pages, role):
    errors = pages.refused(pages.get("role_add"), realm=role.realm_id, name="anonymous")
    assert "already has a role with this name" in str(errors)


def test_lists_show_what_is_below(pages, role):
    assert "anonymous" in pages.get("realm_changelist").content.decode()
    assert "realm1" in pages.get("role_changelist").content.decode()


def test_deleting_the_realm_leaves_a_configuration_that_loads(pages, role):
    pages.client.post(f"/admin/wamp_transport/realm/{role.realm_id}/delete/", {"post": "yes"})
    assert store.load(".").realms == ()


def test_authorizer_is_given_in_the_form_of_a_role(pages, role):
    role.permissions.all().delete()
    fields = {"attr_authorizer": "com.shop.authorize", "attr_authorizer_timeout": "500"}
    pages.save(pages.get("role_change", role.pk), **fields)
    (stored,) = store.load(".").realms[0].roles
    assert (stored.authorizer, stored.authorizer_timeout, stored.permissions) == ("com.shop.authorize", 500, ())
    fields = {"attr_authorizer": "", "attr_authorizer_function": "shop.wamp.authorize"}
    pages.save(pages.get("role_change", role.pk), **fields)
    (stored,) = store.load(".").realms[0].roles
    assert (stored.authorizer, stored.authorizer_function) == (None, "shop.wamp.authorize")


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"attr_authorizer": "com..shop"}, "attr_authorizer", "the URI of a procedure"),
        ({"attr_authorizer_function": "authorize"}, "attr_authorizer_function", "dotted path"),
        ({"attr_authorizer": "com.shop.authorize"}, "attr_authorizer", "together with `permissions`"),
        ({"attr_authorizer_timeout": "0"}, "attr_authorizer_timeout", "an integer, 1 or more"),
    ],
)
def test_wrong_authorizer_is_refused_at_its_field(pages, role, changes, field, message):
    errors = pages.refused(pages.get("role_change", role.pk), **changes)
    assert message in " ".join(errors[field])


def test_page_of_a_role_explains(pages, role):
    page = pages.get("role_change", role.pk)
    assert f"/role/{role.pk}/explain/" in page.content.decode()
    asked = pages.get("role_explain", role.pk)
    assert asked.context["answers"] == []
    told = pages.get("role_explain", role.pk, action="call", uri="com.x")
    assert "<strong>Allowed</strong>" in told.content.decode()
    assert "workers[0].realms[0].roles[0].permissions[0]" in told.content.decode()
    told = pages.get("role_explain", role.pk, action="publish", uri="<b>#", match="prefix")
    assert "<strong>Denied</strong>" in told.content.decode()
    assert "<b>" not in told.content.decode()
    assert "wamp.error.invalid_uri" in told.content.decode()
    wrong = pages.get("role_explain", role.pk, action="fly", uri="com.x")
    assert wrong.context["answers"] == []
    assert "action" in wrong.context["form"].errors


def test_page_of_a_role_explains_what_somebody_may(pages, role):
    Principal.objects.create(realm="realm1", authid="joe", role="clerk")
    Role.objects.create(realm=role.realm, name="clerk")
    UserRole.objects.create(kind="everybody", role="anonymous")
    User.objects.create_user("joe")
    told = pages.get("role_explain", role.pk, action="call", uri="com.x", principal="joe")
    text = told.content.decode()
    assert [answer.explanation.role for answer in told.context["answers"]] == ["clerk", "anonymous"]
    assert "clerk: principal in the database" in text
    assert "anonymous: Django user" in text
    assert "<strong>Allowed</strong>" in text
    assert "<strong>Denied</strong>" in text
    assert "No principal" in pages.get("role_explain", role.pk, action="call", principal="eve").context["problem"]
    Role.objects.filter(name="clerk").delete()
    told = pages.get("role_explain", role.pk, action="call", uri="com.x", principal="joe")
    assert told.context["problem"] == "The realm has no role clerk."


def test_nothing_is_explained_while_the_configuration_has_faults(pages, role):
    Role.objects.filter(pk=role.pk).update(settings={"unknown": 1})
    page = pages.get("role_explain", role.pk, action="call", uri="com.x")
    assert page.context["answers"] == []
    assert "has faults" in page.content.decode()


def test_permissions_come_first_in_the_form_of_a_role(pages, role):
    for page in (pages.get("role_change", role.pk), pages.get("role_add")):
        text = page.content.decode()
        places = [text.index(mark) for mark in ('id="id_name"', 'id="permissions-group"', 'id="id_attr_authorizer"')]
        assert places == sorted(places)
        assert text.count('id="permissions-group"') == 1


def test_rare_options_of_a_role_are_last_and_folded(pages, role):
    (_, own), *rest = pages.get("role_change", role.pk).context["adminform"].fieldsets
    assert own["fields"] == ["realm", "name", "allow_by_default"]
    assert [title for title, options in rest if "collapse" not in options["classes"]] == []
    assert {"attr_max_calls", "attr_trustlevel", "attr_id"} <= {name for _, one in rest for name in one["fields"]}
    role.settings = {"trustlevel": 3}
    role.save()
    rest = pages.get("role_change", role.pk).context["adminform"].fieldsets[1:]
    assert [title for title, options in rest if "collapse" not in options["classes"]] == ["Trust level"]


def test_roles_come_first_in_the_form_of_a_realm(pages, role):
    text = pages.get("realm_change", role.realm_id).content.decode()
    assert text.index('id="roles-group"') < text.index('id="id_attr_options__uri_check"')


def test_role_that_is_not_there_is_not_explained(pages, role):
    path = reverse("admin:wamp_transport_role_explain", args=(role.pk + 1,))
    assert pages.client.get(path).status_code == 403
