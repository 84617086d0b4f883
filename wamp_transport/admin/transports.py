"""The admin pages for transports."""

from dataclasses import replace
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wamp_transport.admin.logins import WebSocketForm
from wamp_transport.admin.row_admin import TypedRowAdmin
from wamp_transport.admin.services import WebPathAdmin
from wamp_transport.config.attributes import Attribute
from wamp_transport.config.forms import check_transport, fields_of
from wamp_transport.config.report import ConfigError, Problem
from wamp_transport.models import Transport
from wamp_transport.stores.columns import TRANSPORT, join_columns
from wamp_transport.stores.config_document import transport_mapping

_ONLY_OF = {"tcp": ("port", "interface"), "unix": ("socket_path",)}
_COLUMNS = {".".join(column.keys): column.name for column in TRANSPORT}


class TransportForm(WebSocketForm):
    """The form for a transport."""

    columns = {**_COLUMNS, "endpoint": "endpoint_type"}

    def clean(self) -> dict[str, Any] | None:
        """Check that fields which do not belong to the selected kind of endpoint are empty."""
        cleaned = super().clean()
        if "endpoint_type" not in self.fields:
            return cleaned
        kind = self.cleaned_data.get("endpoint_type", "")
        for other, names in _ONLY_OF.items():
            for name in names:
                if other != kind and self.cleaned_data.get(name):
                    self.add_error(name, forms.ValidationError(_foreign(kind), code="foreign"))
        if not kind and self.cleaned_data.get("backlog") is not None:
            self.add_error("backlog", forms.ValidationError(_foreign(kind), code="foreign"))
        return cleaned

    def completed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the settings to save.

        If the user has changed the kind of endpoint, attributes that the new kind lacks are removed from ``endpoint``.
        """
        settings = super().completed(settings)
        endpoint = settings.get("endpoint")
        kind = self.cleaned_data.get("endpoint_type", "")
        if isinstance(endpoint, dict) and "endpoint_type" in self.changed_data:
            fitting = {attribute.path.partition(".")[0] for attribute in fields_of(kind)} if kind else set()
            kept = {key: value for key, value in endpoint.items() if key in fitting}
            settings["endpoint"] = kept
            if not kept:
                del settings["endpoint"]
        return settings

    def problems(self) -> list[Problem]:
        """Validate the transport against the schema, and return the problems found."""
        return check_transport(mapping_of(self.instance))

    def field_at(self, path: str) -> str | None:
        """Return the name of the form field for a JSON path.

        For the transport or the endpoint as a whole, this is the field for the port or the socket path or, if the
        endpoint has no type, the field for its type.
        """
        if path in ("", "endpoint"):
            return {"tcp": "port", "unix": "socket_path"}.get(self.instance.endpoint_type, "endpoint_type")
        return super().field_at(path)


def mapping_of(transport: Transport) -> dict[str, Any]:
    """Return the transport as it would be written in a config.json, without its services."""
    paths: dict[str, Any] = {"paths": {}} if transport.type == "web" else {}
    return {"type": transport.type, **join_columns(transport), **paths}


@admin.register(Transport)
class TransportAdmin(TypedRowAdmin):
    """The admin for transports."""

    form = TransportForm
    types: ClassVar[list[tuple[str, Any]]] = [
        ("web", _("HTTP and, on its paths, WAMP and other services")),
        ("websocket", _("WAMP on a port of its own, and nothing else")),
    ]
    own_fields = (
        "type_shown",
        "enabled",
        "order",
        "endpoint_type",
        "port",
        "interface",
        "socket_path",
        "backlog",
    )
    list_display = ("endpoint_shown", "type", "enabled", "paths_shown")
    list_filter = ("enabled", "type")

    def attributes_for(self, kind: str) -> tuple[Attribute, ...]:
        """Return the attributes of the transport and its endpoint that are not stored in columns."""
        if kind not in dict(self.types):
            return ()
        own = [one for one in fields_of(kind) if one.path not in ("endpoint", "paths")]
        endpoint = {one.path: one for section in ("unix", "tcp") for one in fields_of(section)}
        of_endpoint = [replace(one, path=f"endpoint.{path}", required=False) for path, one in endpoint.items()]
        return (*own, *(one for one in of_endpoint if one.path not in _COLUMNS))

    def get_fieldsets(self, request: Any, obj: Any = None) -> Any:
        """Return the fieldsets, including the paths of a web transport.

        An unsupported type of transport has no fields for its endpoint and its attributes.
        """
        kind = self.kind_of(request, obj)
        fieldsets = super().get_fieldsets(request, obj)
        if kind not in dict(self.types):
            fieldsets[0][1]["fields"] = ["type_shown", "enabled", "order"]
        if obj is not None and kind == "web":
            obj.may_have_more = request.user.has_perm("wamp_transport.add_webpath")
            fieldsets.insert(1, (_("Paths"), {"fields": ["services"], "classes": ["wamp-below"]}))
        return fieldsets

    def get_readonly_fields(self, request: Any, obj: Any = None) -> list[str]:
        """Return the read-only fields, including the services."""
        return ["services", *super().get_readonly_fields(request, obj)]

    def mapping_of(self, row: Transport) -> dict[str, Any]:
        """Return the transport as it would be written in a config.json, without services if two of them conflict."""
        try:
            return transport_mapping(row)
        except ConfigError:
            return mapping_of(row)

    @admin.display(description=_("Endpoint"), ordering="port")
    def endpoint_shown(self, row: Transport) -> str:
        """Return the address on which the transport listens."""
        return str(row)

    @admin.display(description=_("Paths"))
    def paths_shown(self, row: Transport) -> str:
        """Return the paths that have services."""
        return ", ".join(service.full_path for service in row.services.all()) or "-"

    def get_queryset(self, request: Any) -> Any:
        """Return the rows with prefetched services, for the list."""
        return super().get_queryset(request).prefetch_related("services")

    @admin.display(description=_("Services"))
    def services(self, row: Transport) -> SafeString:
        """Return the services as links to their pages, and links for adding services."""
        context = {
            "transport": row,
            "services": sorted(row.services.all(), key=lambda service: service.path),
            "types": WebPathAdmin.types,
            "may_add": getattr(row, "may_have_more", False),
        }
        return render_to_string("wamp_transport/admin/services.html", context)


def _foreign(kind: str) -> str:
    if not kind:
        return gettext("Choose what to listen on, or leave this empty.")
    return gettext("This does not belong to an endpoint of type %s; leave it empty.") % kind
