"""The page for clients that have a cookie from this site. Their records can be deleted, but not edited."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from wamp_transport.admin.generics import AnyModelAdmin
from wamp_transport.models import TrackedCookie


@admin.register(TrackedCookie)
class TrackedCookieAdmin(AnyModelAdmin):
    """The admin for clients with a cookie. If you delete a client, it gets a new cookie when it reconnects."""

    list_display = ("id", "name", "created_at", "expires_at", "authid", "realm", "service")
    list_filter = ("name", "realm", "expires_at")
    search_fields = ("id", "authid")
    actions = ("purge",)
    exclude = ("digest",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: records are created only in handshakes."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: records cannot be edited."""
        return False

    @admin.action(description=_("Delete the selected cookies that have expired"), permissions=["delete"])
    def purge(self, request: HttpRequest, queryset: Any) -> None:
        """Delete the selected cookies that have expired.

        Running nodes do this every minute, so the action is needed only if no node is running.
        """
        count = queryset.filter(expires_at__lte=timezone.now()).delete()[0]
        text = ngettext("%d expired cookie was deleted.", "%d expired cookies were deleted.", count) % count
        self.message_user(request, text, messages.SUCCESS)
