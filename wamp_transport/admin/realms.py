"""The admin pages for realms and their roles."""

from typing import Any

from django import forms
from django.contrib import admin
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from wamp_transport.admin.generics import AnyTabularInline
from wamp_transport.admin.row_admin import RowAdmin
from wamp_transport.admin.row_form import RowForm, RowFormSet
from wamp_transport.config.attributes import Attribute
from wamp_transport.config.forms import check_realm, check_role, fields_of
from wamp_transport.config.report import Problem
from wamp_transport.models import Realm, Role
from wamp_transport.stores.columns import join_columns
from wamp_transport.stores.config_document import realm_mapping

THREE_WAYS = [("", _("Default (no)")), ("true", _("Yes")), ("false", _("No"))]


class RealmForm(RowForm):
    """The form for a realm."""

    columns = {"name": "name"}

    def problems(self) -> list[Problem]:
        """Validate the realm against the schema, and return the problems found."""
        return check_realm(join_columns(self.instance))


class RoleForm(RowForm):
    """The form for a role."""

    columns = {"name": "name", "allow-by-default": "allow_by_default"}

    allow_by_default = forms.TypedChoiceField(
        label=capfirst(Role._meta.get_field("allow_by_default").verbose_name),
        help_text=Role._meta.get_field("allow_by_default").help_text,
        choices=THREE_WAYS,
        coerce={"true": True, "false": False}.get,
        empty_value=None,
        required=False,
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        given = self.initial.get("allow_by_default")
        self.initial["allow_by_default"] = "" if given is None else str(given).lower()

    def problems(self) -> list[Problem]:
        """Validate the role against the schema, and return the problems found."""
        return check_role(join_columns(self.instance))


class RoleInline(AnyTabularInline):
    """The inline for the roles of a realm. Permissions are edited on the page of each role."""

    model = Role
    form = RoleForm
    formset = RowFormSet
    fields = ("name", "allow_by_default", "permissions_shown")
    readonly_fields = ("permissions_shown",)
    extra = 1
    show_change_link = True

    @admin.display(description=_("Permissions"))
    def permissions_shown(self, row: Role) -> str:
        """Return the number of the role's permissions."""
        count = row.permissions.count() if row.pk is not None else 0
        return ngettext("%d permission", "%d permissions", count) % count


@admin.register(Realm)
class RealmAdmin(RowAdmin):
    """The admin for realms."""

    form = RealmForm
    own_fields = ("name",)
    json_classes = ("collapse",)
    inlines = (RoleInline,)
    list_display = ("name", "roles_shown")
    search_fields = ("name",)

    def attributes_for(self, kind: str) -> tuple[Attribute, ...]:
        """Return all attributes except the name and the roles."""
        return tuple(attribute for attribute in fields_of("realm") if attribute.path not in ("name", "roles"))

    def mapping_of(self, row: Realm) -> dict[str, Any]:
        """Return the realm as it would be written in a config.json, including its roles."""
        return realm_mapping(row)

    def get_queryset(self, request: Any) -> Any:
        """Return the rows with prefetched roles, for the list."""
        return super().get_queryset(request).prefetch_related("roles")

    @admin.display(description=_("Roles"))
    def roles_shown(self, row: Realm) -> str:
        """Return the names of the roles."""
        return ", ".join(role.name for role in row.roles.all()) or "-"
