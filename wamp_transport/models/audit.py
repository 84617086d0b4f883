"""The model of the audit trail: logins, failed logins, denied actions and closed sessions."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class AuditEntry(models.Model):
    """An entry in the audit trail. Running nodes write the entries, and the admin shows them. Entries never change.

    ``count`` is the number of similar events from the same client that the entry represents.
    """

    KINDS = [
        ("login", _("login")),
        ("failure", _("failed login")),
        ("lockout", _("refused: too many failed logins")),
        ("denial", _("denied action")),
        ("closed", _("session closed by a change of the user")),
        ("kill", _("session closed by another session")),
    ]

    id = models.BigAutoField(primary_key=True)
    created_at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    kind = models.CharField(_("event"), max_length=10, choices=KINDS)
    realm = models.CharField(_("realm"), max_length=255, blank=True)
    authid = models.CharField(_("authid"), max_length=255, blank=True)
    authrole = models.CharField(_("role"), max_length=255, blank=True)
    authmethod = models.CharField(_("method"), max_length=100, blank=True)
    address = models.CharField(_("address"), max_length=100, blank=True)
    service = models.CharField(_("service"), max_length=500, blank=True)
    session = models.BigIntegerField(_("session"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    detail = models.CharField(_("detail"), max_length=500, blank=True)
    count = models.PositiveIntegerField(_("count"), default=1)
    node = models.CharField(_("node"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S} {self.kind} {self.authid}"
