"""The admin pages for paths and the services at these paths."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wamp_transport.admin.logins import WebSocketForm
from wamp_transport.admin.row_admin import TypedRowAdmin
from wamp_transport.config.attributes import Attribute
from wamp_transport.config.forms import check_service, fields_of, service_types
from wamp_transport.config.report import Problem
from wamp_transport.models import BRANCH, ROOT, WebPath

_TEXTS = {
    "websocket": _("WAMP for browsers, devices and services"),
    "static": _("the files of a directory"),
    "json": _("a fixed value"),
    "redirect": _("to another URL"),
    "nodeinfo": _("a page on this node"),
    BRANCH: _("a branch that only holds further paths, and answers 404 itself"),
}


class WebPathForm(WebSocketForm):
    """The form for a path and its service."""

    columns = {"path": "path"}

    def clean_path(self) -> str:
        """Return the path without leading and trailing slashes. The root remains ``/``."""
        path = str(self.cleaned_data["path"]).strip()
        return path if path == ROOT else path.strip("/") or ROOT

    def clean(self) -> dict[str, Any] | None:
        """Check that the transport has no other service at this path. A branch and a service can have the same path."""
        cleaned = super().clean()
        transport, path = self.cleaned_data.get("transport"), self.cleaned_data.get("path")
        if transport is None or path is None:
            return cleaned
        same = WebPath.objects.filter(transport=transport, path=path).exclude(pk=self.instance.pk)
        for other in same.all():
            if (other.type == BRANCH) == (self.instance.type == BRANCH):
                message = gettext("This transport has a service on %s already.") % other.full_path
                self.add_error("path", forms.ValidationError(message, code="taken"))
                break
        return cleaned

    def problems(self) -> list[Problem]:
        """Validate the service against the schema of its type, and return the problems found."""
        path = self.instance.full_path if "path" in self.cleaned_data else None
        return check_service(self.instance.type, mapping_of(self.instance), path)


def mapping_of(service: WebPath) -> dict[str, Any]:
    """Return the service as it would be written in a config.json. For the type *path*, ``paths`` is left empty."""
    branch: dict[str, Any] = {"paths": {}} if service.type == BRANCH else {}
    return {"type": service.type, **service.settings, **branch}


@admin.register(WebPath)
class WebPathAdmin(TypedRowAdmin):
    """The admin for paths."""

    form = WebPathForm
    types: ClassVar[list[tuple[str, Any]]] = [
        *((name, _TEXTS.get(name, name)) for name in service_types() if name != BRANCH),
        (BRANCH, _TEXTS[BRANCH]),
    ]
    own_fields = ("type_shown", "transport", "path")
    list_display = ("path_shown", "type", "transport")
    list_filter = ("transport", "type")
    list_select_related = ("transport",)
    search_fields = ("path", "type")

    def attributes_for(self, kind: str) -> tuple[Attribute, ...]:
        """Return the attributes of the type, except ``paths``. An unsupported type has no attributes."""
        attributes = fields_of(kind) if kind in service_types() else ()
        return tuple(attribute for attribute in attributes if attribute.path != "paths")

    def mapping_of(self, row: WebPath) -> dict[str, Any]:
        """Return the service as it would be written in a config.json."""
        return mapping_of(row)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Return the initial values. The transport is preselected if there is only one web transport."""
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        if "transport" not in initial:
            field = WebPath._meta.get_field("transport")
            found = list(field.related_model._default_manager.filter(type="web").values_list("pk", flat=True)[:2])
            if len(found) == 1:
                initial["transport"] = found[0]
        return initial

    @admin.display(description=_("Path"), ordering="path")
    def path_shown(self, row: WebPath) -> str:
        """Return the path as it appears in a URL."""
        return row.full_path
