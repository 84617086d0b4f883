"""The models of the stored configuration and its revision.

A row stores the most important keys in separate columns and all other keys in ``settings``, where secrets are replaced
with hashes and derived keys. The modules in ``stores/`` convert rows to the mapping of a config.json and back. Every
change of a row increments the revision.
"""

import secrets
from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from django.contrib.auth.hashers import make_password
from django.core.validators import RegexValidator
from django.db import models, router, transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wamp_transport.auth import sealing

from .commits import CONFIGURATION, announce

Row = TypeVar("Row", bound="ConfigurationRow")

ROOT = "/"
BRANCH = "path"

SALT_SIZE = 16
"""The size of the salts for derived keys, in bytes."""

ENDPOINT_TYPES = [("tcp", _("TCP port")), ("unix", _("Unix domain socket"))]
MATCHES = [("exact", _("exact")), ("prefix", _("prefix")), ("wildcard", _("wildcard"))]

valid_path = RegexValidator(
    r"^(/|[a-zA-Z0-9_\-]+(/[a-zA-Z0-9_\-]+)*)\Z",
    _("Enter segments of letters, digits, _ and - with / between them, or / alone for the root."),
)


def nesting_of(path: str) -> str:
    """Return the keys, separated by spaces, that lead to the service at ``path`` in a configuration file.

    For example, the keys for the path ``app/ws`` are ``app ws``: the service is ``paths["app"]["paths"]["ws"]``.
    """
    return ROOT if path == ROOT else path.replace("/", " ")


def path_of(nesting: str) -> str:
    """Return the path of a service, given the keys that lead to it in a configuration file.

    The keys are separated by spaces, as in :func:`nesting_of`. The key ``/`` adds nothing to the path.
    """
    return "/".join(key for key in nesting.split(" ") if key != ROOT) or ROOT


def sealed(settings: Any, *, is_deep: bool = False) -> Any:
    """Return the settings of a row, with hashes and derived keys instead of secrets.

    If ``is_deep`` is true, secrets are also replaced in services that are nested in the settings. This function is slow
    if there is a secret. See :mod:`wamp_transport.auth.sealing`.
    """
    if not isinstance(settings, dict):
        return settings
    kept = dict(settings)
    for key, value in settings.items():
        if key == "auth":
            kept[key] = sealing.sealed(value, make_password, lambda: secrets.token_urlsafe(SALT_SIZE))
        elif is_deep:
            kept[key] = sealed(value, is_deep=True)
    return kept


class ConfigurationQuerySet(models.QuerySet[Row]):
    """A queryset whose bulk operations replace secrets with hashes and derived keys, and increment the revision.

    For single rows, receivers of Django's signals do this, but bulk operations send no signals.
    """

    def update(self, **values: Any) -> int:
        """Update the rows and increment the revision in one transaction."""
        using = _written_to(self)
        if "settings" in values:
            values["settings"] = self.model.sealed(values["settings"])
        with transaction.atomic(using=using):
            count = super().update(**values)
            touch(using)
        return count

    def bulk_create(self, objs: Iterable[Row], *args: Any, **options: Any) -> list[Row]:
        """Replace the secrets in the rows, then create the rows and increment the revision in one transaction."""
        using = _written_to(self)
        objs = list(objs)
        for row in objs:
            row.seal()
        with transaction.atomic(using=using):
            created = super().bulk_create(objs, *args, **options)
            touch(using)
        return created

    def bulk_update(self, objs: Iterable[Row], *args: Any, **options: Any) -> int:
        """Replace the secrets in the rows and update the rows.

        Django calls :meth:`update`, which increments the revision.
        """
        objs = list(objs)
        for row in objs:
            row.seal()
        return super().bulk_update(objs, *args, **options)


def _written_to(rows: models.QuerySet[Any]) -> str:
    """Return the alias of the database to which changes of these rows are written."""
    return getattr(rows, "_db", None) or router.db_for_write(rows.model)


class ConfigurationRow(models.Model):
    """The base class of all configuration rows."""

    id = models.BigAutoField(primary_key=True)
    settings = models.JSONField(
        _("settings"),
        default=dict,
        blank=True,
        help_text=_("All keys that have no field of their own, as in config.json. Missing keys have their defaults."),
    )

    objects: ClassVar[models.Manager[Any]] = ConfigurationQuerySet.as_manager()

    class Meta:
        abstract = True

    @classmethod
    def sealed(cls, settings: Any) -> Any:
        """Return ``settings`` as they are stored. Models with secrets in the settings override this to replace them."""
        return settings

    def seal(self) -> None:
        """Replace secrets with hashes and derived keys. This is slow if there is a secret."""
        self.settings = self.sealed(self.settings)

    def save_base(self, *args: Any, **options: Any) -> None:
        """Save the row and increment the revision in one transaction."""
        with transaction.atomic(using=options.get("using") or router.db_for_write(type(self), instance=self)):
            super().save_base(*args, **options)


class Realm(ConfigurationRow):
    """A realm. Only sessions of the same realm can exchange messages."""

    name = models.CharField(
        _("name"),
        max_length=255,
        unique=True,
        help_text=_("For example realm1: 3 to 255 letters, digits and _ - @ . starting with a letter."),
    )
    worker = models.PositiveSmallIntegerField(
        _("worker"), null=True, blank=True, editable=False, help_text=_("The worker in the imported file.")
    )

    class Meta:
        verbose_name = _("realm")
        verbose_name_plural = _("realms")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class Role(ConfigurationRow):
    """A role that sessions can have in a realm."""

    realm = models.ForeignKey(Realm, models.CASCADE, related_name="roles", verbose_name=_("realm"))
    name = models.CharField(
        _("name"),
        max_length=255,
        help_text=_("Clients without credentials get the role anonymous unless the service configures another one."),
    )
    allow_by_default = models.BooleanField(
        _("allow everything"),
        null=True,
        blank=True,
        help_text=_("Only for a role without permissions: allow every action on every URI."),
    )

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")
        ordering = ["realm", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["realm", "name"],
                name="wamp_transport_role_once",
                violation_error_message=_("This realm already has a role with this name."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.realm}: {self.name}"


class PermissionRule(ConfigurationRow):
    """A rule that allows a role to perform actions on the URIs that match a pattern.

    A flag can be null, which means False.
    """

    role = models.ForeignKey(Role, models.CASCADE, related_name="permissions", verbose_name=_("role"))
    uri = models.TextField(
        _("URI"),
        blank=True,
        help_text=_(
            "URI or pattern. If no match is chosen, a final * means prefix, and * for a whole component means wildcard."
        ),
    )
    match = models.CharField(
        _("match"),
        max_length=10,
        choices=MATCHES,
        blank=True,
        help_text=_("If not chosen, the stars in the URI decide; without a star the match is exact."),
    )
    allow_call = models.BooleanField(_("call"), null=True, blank=True, help_text=_("May call procedures."))
    allow_register = models.BooleanField(_("register"), null=True, blank=True, help_text=_("May register procedures."))
    allow_publish = models.BooleanField(_("publish"), null=True, blank=True, help_text=_("May publish to topics."))
    allow_subscribe = models.BooleanField(
        _("subscribe"), null=True, blank=True, help_text=_("May subscribe to topics.")
    )
    disclose_caller = models.BooleanField(
        _("disclose caller"), null=True, blank=True, help_text=_("Disclose the caller to callees.")
    )
    disclose_publisher = models.BooleanField(
        _("disclose publisher"), null=True, blank=True, help_text=_("Disclose the publisher to subscribers.")
    )
    cache = models.BooleanField(
        _("cache"),
        null=True,
        blank=True,
        help_text=_("Accepted for compatibility with Crossbar; it has no effect here."),
    )

    class Meta:
        verbose_name = _("permission rule")
        verbose_name_plural = _("permission rules")
        ordering = ["role", "id"]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.uri or '""', self.match]))


class Transport(ConfigurationRow):
    """A transport: a web transport with services at its paths, or one that offers only WAMP over WebSocket."""

    type = models.CharField(_("type"), max_length=40, default="web", editable=False)
    enabled = models.BooleanField(
        _("enabled"), default=True, help_text=_("A transport that is not enabled stays stored but does not listen.")
    )
    order = models.PositiveIntegerField(
        _("order"), default=0, help_text=_("Transports are sorted by this number; those with the same number, by age.")
    )
    worker = models.PositiveSmallIntegerField(
        _("worker"), null=True, blank=True, editable=False, help_text=_("The worker in the imported file.")
    )
    endpoint_type = models.CharField(
        _("listen on"),
        max_length=10,
        choices=ENDPOINT_TYPES,
        blank=True,
        help_text=_("If not chosen: TCP port 8080 on 127.0.0.1. An address given to runserver takes precedence."),
    )
    port = models.CharField(
        _("port"),
        max_length=100,
        blank=True,
        help_text=_("TCP port, 1 to 65535, or $NAME to take it from the environment variable NAME."),
    )
    interface = models.CharField(
        _("interface"),
        max_length=255,
        blank=True,
        help_text=_("Address to listen on, for example 127.0.0.1 or ::1. Empty: all interfaces."),
    )
    socket_path = models.CharField(
        _("socket"),
        max_length=500,
        blank=True,
        help_text=_("Path of the Unix domain socket."),
    )
    backlog = models.PositiveIntegerField(
        _("backlog"),
        null=True,
        blank=True,
        help_text=_("Maximum number of connections that wait to be accepted, 1 to 65535. Empty: 50."),
    )

    class Meta:
        verbose_name = _("transport")
        verbose_name_plural = _("transports")
        ordering = ["order", "id"]

    def __str__(self) -> str:
        if self.endpoint_type == "unix":
            return f"unix:{self.socket_path}"
        if self.endpoint_type == "tcp":
            interface = f"[{self.interface}]" if ":" in self.interface else self.interface
            return f"tcp:{interface}:{self.port}" if interface else f"tcp:{self.port}"
        return self.type if self.type not in ("web", "websocket") else "tcp:127.0.0.1:8080"

    @classmethod
    def sealed(cls, settings: Any) -> Any:
        """Return the settings with hashes and derived keys instead of secrets, which can be at any depth."""
        return sealed(settings, is_deep=True)


class WebPath(ConfigurationRow):
    """A path of a web transport, and the service at this path.

    ``settings`` contains the service's configuration, except for the key ``type``.
    """

    transport = models.ForeignKey(
        Transport,
        models.CASCADE,
        related_name="services",
        verbose_name=_("transport"),
        limit_choices_to={"type": "web"},
    )
    path = models.CharField(
        _("path"),
        max_length=500,
        validators=[valid_path],
        help_text=_("Full path, for example ws or app/ws. The root / gets all requests that match no other path."),
    )
    nesting = models.CharField(_("nesting"), max_length=500, editable=False)
    type = models.CharField(_("type"), max_length=40, editable=False)

    class Meta:
        verbose_name = _("path")
        verbose_name_plural = _("paths")
        ordering = ["transport", "path", "id"]
        constraints = [
            models.UniqueConstraint(fields=["transport", "nesting"], name="wamp_transport_path_once"),
        ]

    def __str__(self) -> str:
        return f"{self.full_path} ({self.type})"

    @classmethod
    def sealed(cls, settings: Any) -> Any:
        """Return the settings with hashes and derived keys instead of secrets."""
        return sealed(settings)

    @property
    def full_path(self) -> str:
        """The URL path, with a leading slash."""
        return ROOT if self.path == ROOT else f"/{self.path}"

    @property
    def keys(self) -> list[str]:
        """The keys that lead to the service in the transport's ``paths``.

        If the row was imported and its path was not changed afterwards, these are the keys in the imported file.
        """
        nesting = self.nesting if self.nesting and path_of(self.nesting) == self.path else nesting_of(self.path)
        return nesting.split(" ")

    def save_base(self, *args: Any, **options: Any) -> None:
        """Save the row, with ``nesting`` set to the keys for its path."""
        self.nesting = " ".join(self.keys)
        super().save_base(*args, **options)


class ConfigurationState(models.Model):
    """The revision of the configuration, and the parts of an imported file that are not in other tables.

    The table of this model has one row. ``document`` is the imported mapping without realms and transports; it is null
    if nothing was imported. The column ``worker`` of realms and transports contains the index of a worker in
    ``document``. Relative paths are relative to ``base_dir``, the directory of the imported file.
    """

    ONLY: ClassVar[int] = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    revision = models.PositiveBigIntegerField(_("revision"), default=0)
    document = models.JSONField(_("rest of the document"), null=True, blank=True, default=None)
    base_dir = models.TextField(
        _("base directory"), blank=True, help_text=_("Start of relative paths: the directory of the imported file.")
    )
    changed_at = models.DateTimeField(_("changed at"), default=timezone.now)

    class Meta:
        verbose_name = _("state of the configuration")
        verbose_name_plural = _("state of the configuration")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="wamp_transport_one_state")]

    def __str__(self) -> str:
        return f"revision {self.revision}"


def touch(using: str | None = None) -> None:
    """Increment the revision after a change of the configuration, in the open transaction if there is one."""
    using = using or router.db_for_write(ConfigurationState)
    states = ConfigurationState.objects.using(using)
    states.get_or_create(pk=ConfigurationState.ONLY)
    states.filter(pk=ConfigurationState.ONLY).update(revision=models.F("revision") + 1, changed_at=timezone.now())
    announce(CONFIGURATION, using)


@receiver(pre_save)
def _row_is_saved(sender: type[models.Model], instance: models.Model, **_event: Any) -> None:
    """Replace the secrets in a row before it is saved. A signal is used because fixtures bypass the row's methods."""
    if isinstance(instance, ConfigurationRow):
        instance.seal()


@receiver((post_save, post_delete))
def _row_changed(sender: type[models.Model], using: str, **_event: Any) -> None:
    """Increment the revision after rows are saved or deleted, including cascades and fixtures."""
    if issubclass(sender, ConfigurationRow):
        touch(using)
        if issubclass(sender, Realm):
            _mark_realms_as_configured(using)


def _mark_realms_as_configured(using: str) -> None:
    """After a realm was saved or deleted, ensure that the stored document contains a list of realms, even an empty one.

    If an imported file contains no such list, the default realm ``realm1`` is open to everybody. Without the empty
    list, deleting the last realm would open ``realm1`` again.
    """
    state = ConfigurationState.objects.using(using).get(pk=ConfigurationState.ONLY)
    workers = (state.document or {}).get("workers", [])
    routers = [worker for worker in workers if worker.get("type") == "router"]
    if routers and not any("realms" in worker for worker in routers):
        routers[0]["realms"] = []
        state.save(using=using, update_fields=["document"])
