"""The read-only page for the audit trail.

The audit trail does not contain changes made in the admin. Django records them in the history of each object.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from wamp_transport.admin.generics import AnyModelAdmin
from wamp_transport.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(AnyModelAdmin):
    """The admin for audit entries: logins, failed logins, denied actions and closed sessions."""

    list_display = ("created_at", "kind", "authid", "authrole", "authmethod", "address", "realm", "reason", "count")
    list_filter = ("kind", "created_at", "authmethod", "realm")
    search_fields = ("authid", "address", "reason", "detail")
    date_hierarchy = "created_at"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: only nodes add entries."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: entries never change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: only nodes delete entries that are too old, or the oldest if there are too many."""
        return False
