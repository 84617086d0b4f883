"""The admin pages for roles and their permissions."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from wamp_transport.admin.explain_page import explain_view
from wamp_transport.admin.generics import AnyTabularInline
from wamp_transport.admin.realms import RoleForm
from wamp_transport.admin.row_admin import RowAdmin
from wamp_transport.admin.row_form import RowForm, RowFormSet
from wamp_transport.config.attributes import Attribute
from wamp_transport.config.forms import check_permission, fields_of
from wamp_transport.config.report import Problem
from wamp_transport.models import PermissionRule, Role
from wamp_transport.stores.columns import PERMISSION, join_columns

FLAGS = (
    "allow_call",
    "allow_register",
    "allow_publish",
    "allow_subscribe",
    "disclose_caller",
    "disclose_publisher",
)
"""The permission flags that have a checkbox. ``cache`` has none, because this flag has no effect in this router."""


class PermissionForm(RowForm):
    """The one-line form for a permission: a URI and checkboxes."""

    columns = {".".join(column.keys): column.name for column in PERMISSION}

    def clean(self) -> dict[str, Any] | None:
        """If a checkbox is empty and its flag has never been set, keep the flag unset instead of storing False."""
        cleaned = super().clean()
        for name in FLAGS:
            if self.cleaned_data.get(name) is False and self.initial.get(name) is None:
                self.cleaned_data[name] = None
        return cleaned

    def problems(self) -> list[Problem]:
        """Validate the permission against the schema, and return the problems found."""
        return check_permission(join_columns(self.instance))


class PermissionInline(AnyTabularInline):
    """The inline for the permissions of a role."""

    model = PermissionRule
    form = PermissionForm
    formset = RowFormSet
    fields = ("uri", "match", *FLAGS)
    extra = 1

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Use checkboxes for flags, and a single line for the URI."""
        if db_field.name in FLAGS:
            return forms.BooleanField(required=False, label=db_field.verbose_name, help_text=db_field.help_text)
        if db_field.name == "uri":
            kwargs["widget"] = AdminTextInputWidget({"class": "wamp-uri", "spellcheck": "false"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Role)
class RoleAdmin(RowAdmin):
    """The admin for roles."""

    form = RoleForm
    own_fields = ("realm", "name", "allow_by_default")
    json_classes = ("collapse",)
    inlines = (PermissionInline,)
    list_display = ("name", "realm", "permissions_shown")
    list_filter = ("realm",)
    list_select_related = ("realm",)
    search_fields = ("name",)

    def attributes_for(self, kind: str) -> tuple[Attribute, ...]:
        """Return all attributes except the permissions and those stored in columns."""
        others = ("name", "permissions", "allow-by-default")
        return tuple(attribute for attribute in fields_of("role") if attribute.path not in others)

    def mapping_of(self, row: Role) -> dict[str, Any]:
        """Return the role as it would be written in a config.json, including its permissions."""
        permissions = [join_columns(permission) for permission in row.permissions.order_by("pk")]
        return {**join_columns(row), **({"permissions": permissions} if permissions else {})}

    def get_urls(self) -> list[Any]:
        """Return the URLs, including the URL of the page that explains permissions."""
        view = self.admin_site.admin_view(self.explain_view)
        return [path("<path:object_id>/explain/", view, name="wamp_transport_role_explain"), *super().get_urls()]

    def explain_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Return the page that explains the role's permissions."""
        role = self.get_object(request, unquote(object_id))
        if role is None or not self.has_view_permission(request, role):
            raise PermissionDenied
        return explain_view(self, request, role)

    @admin.display(description=_("Permissions"))
    def permissions_shown(self, row: Role) -> int:
        """Return the number of permissions."""
        return row.permissions_count  # type: ignore[attr-defined, no-any-return]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rows with the number of permissions, for the list."""
        return super().get_queryset(request).annotate(permissions_count=models.Count("permissions"))
