"""The base admin classes for configuration rows.

The schema defines the fields of the forms. After a row is saved, the next page shows the notices about it: problems
that are not errors.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wamp_transport.admin.configuration_impact import impact_of_deletion, impact_of_edit, stored_configuration
from wamp_transport.admin.edit_validation import is_without_realms, notices_on
from wamp_transport.admin.ending_sessions import EndingSessionsAdmin, Impact
from wamp_transport.admin.generics import AnyModelForm
from wamp_transport.admin.grouping import Fieldset, fieldsets_for
from wamp_transport.admin.presentation import json_of, not_offered
from wamp_transport.admin.row_form import RowForm, form_for
from wamp_transport.config.attributes import Attribute
from wamp_transport.config.configuration import Configuration
from wamp_transport.models import ConfigurationRow

MAX_NOTICES = 5


class RowAdmin(EndingSessionsAdmin):
    """The base admin for a configuration model.

    The form has a field for each attribute that is stored in ``settings``. ``own_fields`` lists the form fields for
    other columns.
    """

    form = RowForm
    own_fields: ClassVar[Sequence[str]] = ()
    json_classes: ClassVar[Sequence[str]] = ()

    def attributes_for(self, kind: str) -> tuple[Attribute, ...]:
        """Return the attributes of rows of type ``kind`` that are not stored in columns."""
        raise NotImplementedError

    def mapping_of(self, row: Any) -> dict[str, Any]:
        """Return the row as a config.json mapping, for display."""
        raise NotImplementedError

    def kind_of(self, request: HttpRequest, row: Any) -> str:
        """Return the type of the row that is shown or added; an empty string if rows of this model have no type."""
        return ""

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[AnyModelForm]:
        """Return the form with the fields for the row's type."""
        kind = self.kind_of(request, obj)
        kwargs["form"] = form_for(self.form, self.attributes_for(kind), kind)
        form: type[AnyModelForm] = super().get_form(request, obj, change, **kwargs)
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fieldsets for columns, groups of attributes, unsupported attributes, and JSON."""
        own: Fieldset = (None, {"fields": [*self.own_fields], "classes": ["wamp-own"]})
        json: Fieldset = (_("As JSON"), {"fields": ["as_json"], "classes": ["wamp-json-group", *self.json_classes]})
        if obj is not None and not self.has_change_permission(request, obj):
            return [own, json]
        attributes = self.attributes_for(self.kind_of(request, obj))
        rest: list[Fieldset] = []
        if any(not attribute.offered for attribute in attributes):
            rest.append((_("Not offered yet"), {"fields": ["not_offered_yet"], "classes": ["wamp-group"]}))
        if obj is None:
            return [own, *fieldsets_for(attributes, obj.settings if obj else {}), *rest]
        return [own, *fieldsets_for(attributes, obj.settings if obj else {}), *rest, json]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return the read-only fields, including the JSON and the unsupported attributes."""
        return [*super().get_readonly_fields(request, obj), "as_json", "not_offered_yet"]

    @admin.display(description=_("In config.json"))
    def as_json(self, row: Any) -> SafeString:
        """Return the row as it would be written in a config.json."""
        return json_of(self.mapping_of(row), self.attributes_for(getattr(row, "type", "")))

    @admin.display(description=_("Attributes"))
    def not_offered_yet(self, row: Any) -> SafeString:
        """Return the attributes of a row that this version does not support, as HTML."""
        return not_offered(self.attributes_for(getattr(row, "type", "")), row.settings)

    def impact_of_deletion(self, rows: Iterable[Any]) -> Impact:
        """Return how deleting these rows from the configuration affects open sessions."""
        return impact_of_deletion(rows)

    def state_before(self, form: Any) -> Configuration | None:
        """Return the stored configuration."""
        return stored_configuration()

    def impact_of_change(self, before: Any, form: Any) -> Impact:
        """Return how changing the configuration from ``before`` to the stored one affects open sessions."""
        return impact_of_edit(before, stored_configuration())

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the rows. Then show how many sessions end, and notices about problems that are not errors."""
        super().save_related(request, form, formsets, change)
        impact: Impact = form.impact
        if impact.count or impact.notes:
            messages.info(request, " ".join([*impact.notes, *([impact.text] if impact.nodes else [])]))
        self.show_notices(request, [form.instance, *(one.instance for rows in formsets for one in rows.forms)])

    def show_notices(self, request: HttpRequest, rows: Iterable[ConfigurationRow]) -> None:
        """Show notices about the rows as messages on the next page."""
        if is_without_realms():
            messages.warning(request, gettext("There is no realm yet, so nobody can join. Add one."))
        notices = notices_on(rows)
        for notice in notices[:MAX_NOTICES]:
            text = f"{notice.path}: {notice.problem.message}" if notice.path else notice.problem.message
            messages.warning(request, f"{notice.row}: {text}")
        if len(notices) > MAX_NOTICES:
            messages.warning(request, gettext("… and %d more notices.") % (len(notices) - MAX_NOTICES))


class TypedRowAdmin(RowAdmin):
    """The base admin for rows with a type. The type is chosen first and cannot be changed later."""

    types: ClassVar[Sequence[tuple[str, Any]]] = ()

    def kind_of(self, request: HttpRequest, row: Any) -> str:
        """Return the type of the row or, for a new row, the type in the URL."""
        if row is not None and row.type:
            return str(row.type)
        chosen = request.GET.get("type", "")
        return chosen if chosen in dict(self.types) else ""

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Return the form for a new row of the chosen type, or a page for choosing the type."""
        if self.kind_of(request, None):
            return super().add_view(request, form_url, extra_context)
        if not self.has_add_permission(request):
            raise PermissionDenied
        given = request.GET.copy()
        given.pop("type", None)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Add %s") % self.opts.verbose_name,
            "subtitle": None,
            "opts": self.opts,
            "types": [(name, text, f"{given.urlencode()}&type={name}".lstrip("&")) for name, text in self.types],
            "media": self.media,
            "has_view_permission": self.has_view_permission(request),
        }
        return TemplateResponse(request, "admin/wamp_transport/choose_type.html", context)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return the read-only fields, including the type."""
        return ["type_shown", *super().get_readonly_fields(request, obj)]

    @admin.display(description=_("Type"))
    def type_shown(self, row: Any) -> str:
        """Return the type and its description."""
        return f"{row.type}: {dict(self.types).get(row.type) or gettext('not offered yet')}"
