"""The page on cookies: the clients that a cookie is known of, in the database; there is nothing to edit."""

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
    """Deleting a row makes its cookie count no more; the client gets a new one when it connects again."""

    list_display = ("id", "name", "created_at", "expires_at", "authid", "realm", "service")
    list_filter = ("name", "realm", "expires_at")
    search_fields = ("id", "authid")
    actions = ("purge",)
    exclude = ("digest",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Cookies are made in handshakes."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A cookie is kept or deleted."""
        return False

    @admin.action(description=_("Delete those of the selected cookies that have expired"), permissions=["delete"])
    def purge(self, request: HttpRequest, queryset: Any) -> None:
        """What running nodes do every minute; for databases that no node uses any more."""
        count = queryset.filter(expires_at__lte=timezone.now()).delete()[0]
        text = ngettext("%d expired cookie was deleted.", "%d expired cookies were deleted.", count) % count
        self.message_user(request, text, messages.SUCCESS)
