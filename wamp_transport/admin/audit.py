"""The page on the audit trail: for reading only. What people change in the admin is in the admin's own history."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from wamp_transport.admin.generics import AnyModelAdmin
from wamp_transport.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(AnyModelAdmin):
    """Who came, who failed, what was denied."""

    list_display = ("at", "kind", "authid", "authrole", "authmethod", "address", "realm", "reason", "count")
    list_filter = ("kind", "at", "authmethod", "realm")
    search_fields = ("authid", "address", "reason", "detail")
    date_hierarchy = "at"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nodes write it."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody rewrites it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is purged by age."""
        return False
