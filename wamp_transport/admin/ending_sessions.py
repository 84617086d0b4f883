"""Confirmation pages that show how many sessions a change or a deletion would end."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import action
from django.contrib.admin.actions import delete_selected
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from wamp_transport.admin.generics import AnyModelAdmin
from wamp_transport.bootstrap.runtime import installed_runtime
from wamp_transport.bootstrap.sources import DatabaseSource
from wamp_transport.stores import nodes
from wamp_transport.stores.session_groups import SessionCounts, SessionGroup, from_json

CONFIRMED = "_sessions_may_end"
"""The name of a form field that only the confirmation page sends."""


@dataclass(frozen=True, slots=True)
class VisibleSessions:
    """The number of sessions on the running nodes, by group, as far as this process knows.

    ``nodes`` contains the names of these nodes.
    """

    nodes: tuple[str, ...]
    counts: SessionCounts

    def count(self, matches: Callable[[SessionGroup], bool]) -> int:
        """Return the number of sessions in the groups for which ``matches`` returns True."""
        return sum(count for group, count in self.counts.items() if matches(group))


def visible_sessions(*, only_configured_here: bool = False) -> VisibleSessions:
    """Return the number of sessions on all running nodes.

    The number for this process is exact. Those for other nodes come from their latest reports in the database. If
    ``only_configured_here`` is true, nodes whose configuration does not come from the database are left out.
    """
    counts: dict[str, SessionCounts] = {}
    for status in nodes.running():
        if not status.is_stale and (status.node.revision is not None or not only_configured_here):
            counts[status.node.name] = from_json(status.node.sessions)
    runtime = installed_runtime()
    if runtime is not None and runtime.started is not None:
        counts.pop(runtime.name, None)
        if isinstance(runtime.source, DatabaseSource) or not only_configured_here:
            counts[runtime.name] = runtime.session_counts
    total: Counter[SessionGroup] = Counter()
    for one in counts.values():
        total.update(one)
    return VisibleSessions(tuple(sorted(counts)), total)


@dataclass(frozen=True, slots=True)
class Impact:
    """The number of sessions that a change is expected to end, and ``notes`` on other consequences.

    ``nodes`` contains the names of the running nodes whose sessions were counted. If ``is_maximum`` is true, ``count``
    is the highest possible number. A change must be confirmed if it ends sessions, or if ``is_risky`` is true.
    """

    count: int = 0
    nodes: tuple[str, ...] = ()
    is_maximum: bool = False
    notes: tuple[str, ...] = ()
    is_risky: bool = False

    @property
    def text(self) -> str:
        """The number of sessions, as a sentence."""
        if not self.nodes:
            return gettext("No running node is known, so it is not known whether sessions end.")
        if not self.count:
            return gettext("No session ends.")
        if self.is_maximum:
            return ngettext("Up to %d session ends.", "Up to %d sessions end.", self.count) % self.count
        return ngettext("%d session ends.", "%d sessions end.", self.count) % self.count

    @property
    def scope(self) -> str:
        """A sentence that names the nodes whose sessions were counted; empty if there are none."""
        if not self.nodes:
            return ""
        text = ngettext(
            "Counted on %(n)d running node: %(names)s.",
            "Counted on %(n)d running nodes: %(names)s.",
            n := len(self.nodes),
        )
        more = gettext("The numbers of other processes are up to 10 seconds old.") if n > 1 else ""
        return f"{text % {'n': n, 'names': ', '.join(self.nodes)}} {more}".strip()


class Unconfirmed(Exception):
    """Raised to undo a change that the user must confirm first."""

    def __init__(self, impact: Impact) -> None:
        super().__init__(impact.text)
        self.impact = impact


class EndingSessionsAdmin(AnyModelAdmin):
    """The base admin for rows whose change or deletion can end sessions.

    A change is made in a transaction. If it would end sessions and the user has not confirmed it, the transaction is
    rolled back, and a page asks for confirmation.
    """

    actions = ("delete_selected",)
    delete_confirmation_template = "admin/wamp_transport/delete_confirmation.html"
    delete_selected_confirmation_template = "admin/wamp_transport/delete_selected_confirmation.html"

    class Media:
        css = {"all": ["wamp_transport/admin/wamp.css"]}

    def impact_of_deletion(self, rows: Iterable[Any]) -> Impact:
        """Return the number of sessions that end, and other consequences, if ``rows`` are deleted."""
        raise NotImplementedError

    def state_before(self, form: Any) -> Any:
        """Return data for the parameter ``before`` of :meth:`impact_of_change`. Call this before the rows are saved."""
        raise NotImplementedError

    def impact_of_change(self, before: Any, form: Any) -> Impact:
        """Return the number of sessions that a change ends, and other consequences.

        Call this after the rows have been saved, in the same transaction. ``before`` is the result of
        :meth:`state_before`.
        """
        raise NotImplementedError

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Return the form or, if the user must confirm the submitted change, the confirmation page."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Unconfirmed as unconfirmed:
            context = {
                **self.admin_site.each_context(request),
                "title": gettext("Are you sure?"),
                "opts": self.opts,
                "media": self.media,
                "impact": unconfirmed.impact,
                "confirmed": CONFIRMED,
                "fields": [
                    (name, value)
                    for name, values in request.POST.lists()
                    if name != "csrfmiddlewaretoken"
                    for value in values
                ],
            }
            return TemplateResponse(request, "admin/wamp_transport/confirm_change.html", context)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """Store the result of :meth:`state_before` in the form, before the row is saved."""
        form.state_before = self.state_before(form)
        return super().save_form(request, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the rows. Raises Unconfirmed if the user must confirm the change first."""
        super().save_related(request, form, formsets, change)
        impact = form.impact = self.impact_of_change(form.state_before, form)
        if (impact.count or impact.is_risky) and CONFIRMED not in request.POST:
            raise Unconfirmed(impact)

    def render_delete_form(self, request: HttpRequest, context: dict[str, Any]) -> Any:
        """Return the page that asks for confirmation of a deletion and shows how many sessions it would end."""
        return super().render_delete_form(request, {**context, "impact": self.impact_of_deletion([context["object"]])})

    @action(permissions=["delete"], description=_("Delete selected %(verbose_name_plural)s"))
    def delete_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Ask for confirmation on a page that shows how many sessions would end. Then delete the selected rows."""
        impact = Impact() if request.POST.get("post") else self.impact_of_deletion(queryset)
        response: HttpResponse | None = delete_selected(self, request, queryset)
        if isinstance(response, TemplateResponse):
            response.context_data = {**(response.context_data or {}), "impact": impact}
        return response
