"""The page for running nodes.

It shows whether each node has applied the stored configuration, and the state of each node in its cluster.
"""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from wamp_transport.admin.edit_validation import is_without_realms, stored_report
from wamp_transport.admin.generics import AnyModelAdmin
from wamp_transport.models import ConfigurationState, RunningNode
from wamp_transport.stores import nodes
from wamp_transport.stores.configuration import is_empty


@admin.register(RunningNode)
class RunningNodeAdmin(AnyModelAdmin):
    """The read-only admin for running nodes. Nodes report their state to the database."""

    class Media:
        css = {"all": ["wamp_transport/admin/wamp.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: only nodes add themselves."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: only nodes change their rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: a node deletes its row when it ends."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Return the page "Running nodes"."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        running = nodes.running()
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name_plural),
            "subtitle": None,
            "opts": self.opts,
            "media": self.media,
            "nodes": running,
            "members": [status for status in running if status.cluster is not None],
            "state": ConfigurationState.objects.filter(pk=ConfigurationState.ONLY).first(),
            "is_empty": is_empty(),
            "report": stored_report(),
            "is_without_realms": is_without_realms(),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/wamp_transport/running.html", context)
