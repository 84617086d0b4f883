"""The models for data that running nodes write: their state, stored events, and clients with a cookie."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .configuration import MATCHES


class RunningNode(models.Model):
    """The state that a running node reports, such as the configuration that it has applied, and its clients."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=200, unique=True)
    host = models.CharField(_("host"), max_length=255, blank=True)
    pid = models.PositiveBigIntegerField(_("process"))
    source = models.CharField(_("configured by"), max_length=500, blank=True)
    apply_count = models.PositiveBigIntegerField(
        _("configurations applied"), default=0, help_text=_("Number of configurations that the process has applied.")
    )
    revision = models.PositiveBigIntegerField(
        _("revision"),
        null=True,
        blank=True,
        help_text=_("Revision that the node has applied. Empty if a file or the settings configure the node."),
    )
    problem = models.TextField(_("problem"), blank=True)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    applied_at = models.DateTimeField(_("running since"), default=timezone.now)
    seen_at = models.DateTimeField(_("seen at"), default=timezone.now)
    services = models.JSONField(
        default=list, blank=True, editable=False, help_text="Addresses of its WAMP services on its own host."
    )
    operator_salt = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="Salt from which, with SECRET_KEY, the key of its operators is derived.",
    )
    sessions = models.JSONField(
        default=list, blank=True, editable=False, help_text="Numbers of its clients' sessions, by group."
    )
    cluster = models.JSONField(
        default=dict, blank=True, editable=False, help_text="Its cluster, and its state there. Empty without a cluster."
    )

    class Meta:
        verbose_name = _("running node")
        verbose_name_plural = _("running nodes")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class StoredEvent(models.Model):
    """An event in a durable event history, that is, a history that is stored in the database."""

    id = models.BigAutoField(primary_key=True)
    realm = models.CharField(_("realm"), max_length=255)
    match = models.CharField(_("match"), max_length=8, choices=MATCHES)
    uri = models.CharField(_("topic or pattern"), max_length=1000)
    publication = models.BigIntegerField(_("publication id"))
    time = models.DateTimeField(_("time"))
    content = models.BinaryField(_("content"))

    class Meta:
        verbose_name = _("stored event")
        verbose_name_plural = _("stored events")
        ordering = ["id"]
        indexes = [models.Index(fields=["realm", "match", "uri", "id"], name="wamp_past_event_history")]

    def __str__(self) -> str:
        return f"{self.uri} {self.time:%Y-%m-%d %H:%M:%S}"


class TrackedCookie(models.Model):
    """A client with a cookie. Only the hash of the cookie's value is stored.

    If ``logged_in_at`` is set, the columns after it describe the login.
    """

    id = models.CharField(
        _("id"), primary_key=True, max_length=40, help_text=_("Public id; the authid of anonymous sessions.")
    )
    name = models.CharField(_("name"), max_length=100)
    digest = models.CharField(_("digest"), max_length=64, unique=True)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), db_index=True)
    logged_in_at = models.DateTimeField(_("logged in at"), null=True, blank=True)
    service = models.CharField(_("service"), max_length=500, blank=True)
    realm = models.CharField(_("realm"), max_length=255, blank=True)
    authid = models.CharField(_("authid"), max_length=1000, blank=True)
    authrole = models.CharField(_("role"), max_length=255, blank=True)
    authmethod = models.CharField(_("method"), max_length=100, blank=True)
    authprovider = models.CharField(_("provider"), max_length=255, blank=True)
    authextra = models.JSONField(_("extra"), null=True, blank=True, default=None)

    class Meta:
        verbose_name = _("cookie")
        verbose_name_plural = _("cookies")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} {self.id}"
