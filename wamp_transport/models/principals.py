"""Who may log in with credentials that the database keeps, and with which. Secrets themselves are never kept."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

METHODS = [
    ("ticket", _("ticket: the secret itself is sent")),
    ("wampcra", _("WAMP-CRA: answers a challenge")),
    ("wamp-scram", _("SCRAM with Argon2id, as the specification has it (wamp-scram)")),
    ("scram", _("SCRAM with Argon2id, as Autobahn and Crossbar have it (scram)")),
    ("scram-pbkdf2", _("SCRAM with PBKDF2 (wamp-scram and scram)")),
    ("cryptosign", _("cryptosign: a public key")),
    ("tls", _("TLS client certificate: its fingerprint")),
]


class Principal(models.Model):
    """A person, program or device that logs in to a realm under an authid and gets a role there."""

    id = models.BigAutoField(primary_key=True)
    realm = models.CharField(_("realm"), max_length=255, help_text=_("Name of the realm this principal belongs to."))
    authid = models.CharField(_("authid"), max_length=255, help_text=_("The name it logs in with."))
    role = models.CharField(_("role"), max_length=255, help_text=_("Name of the role its sessions get in the realm."))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Django user"),
        help_text=_("Whose program or device it is: handlers get this user, and it goes when the user does. Optional."),
    )
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Nobody logs in as a principal that is not active; open sessions close.")
    )
    expires_at = models.DateTimeField(
        _("expires at"), null=True, blank=True, help_text=_("From then on nobody logs in as it. Empty: never.")
    )
    authextra = models.JSONField(
        _("extra"), null=True, blank=True, default=None, help_text=_("An object that its clients are told in WELCOME.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("principal")
        verbose_name_plural = _("principals")
        ordering = ["realm", "authid"]
        constraints = [
            models.UniqueConstraint(
                fields=["realm", "authid"],
                name="wamp_transport_principal_once",
                violation_error_message=_("This realm has a principal with that authid already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.realm}: {self.authid}"


class Credential(models.Model):
    """What a principal proves itself with. ``data`` holds what the router computes with, by method:

    ticket: ``hash``, by Django's password hashers; wampcra: ``key``, ``salt``, ``iterations``, ``keylen``; the SCRAMs:
    ``kdf``, ``salt``, ``iterations``, ``memory``, ``stored_key``, ``server_key``; cryptosign and tls: nothing, as the
    ``fingerprint`` is the public key in hex, and the certificate's fingerprint. For the others ``fingerprint`` only
    tells one credential from another; nothing of the secret follows from it.
    """

    id = models.BigAutoField(primary_key=True)
    principal = models.ForeignKey(Principal, models.CASCADE, related_name="credentials", verbose_name=_("principal"))
    method = models.CharField(_("method"), max_length=20, choices=METHODS)
    label = models.CharField(_("label"), max_length=100, blank=True, help_text=_("For people: where it is in use."))
    data = models.JSONField(_("data"), default=dict, editable=False)
    fingerprint = models.CharField(_("fingerprint"), max_length=100, editable=False, db_index=True)
    expires_at = models.DateTimeField(
        _("expires at"), null=True, blank=True, help_text=_("From then on it does not count. Empty: never.")
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        ordering = ["principal", "id"]

    def __str__(self) -> str:
        return f"{self.method} {self.label or self.fingerprint[:16]}"


class UserRole(models.Model):
    """A line of the table that says which role a Django user has in a realm. The first that fits a user counts."""

    KINDS = [
        ("group", _("members of the group")),
        ("permission", _("users with the permission")),
        ("staff", _("staff")),
        ("superuser", _("superusers")),
        ("everybody", _("every active user")),
    ]

    id = models.BigAutoField(primary_key=True)
    order = models.PositiveIntegerField(
        _("order"), default=0, help_text=_("Lines are tried by this number, those with the same one by age.")
    )
    realm = models.CharField(_("realm"), max_length=255, blank=True, help_text=_("Name of a realm. Empty: all realms."))
    kind = models.CharField(_("users"), max_length=10, choices=KINDS, default="group")
    group = models.ForeignKey(
        "auth.Group", models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("group")
    )
    permission = models.CharField(
        _("permission"),
        max_length=255,
        blank=True,
        help_text=_("Name of a Django permission, such as shop.change_order."),
    )
    role = models.CharField(
        _("role"), max_length=255, blank=True, help_text=_("Name of the role they get. Empty: they may not join.")
    )

    class Meta:
        verbose_name = _("role of Django users")
        verbose_name_plural = _("roles of Django users")
        ordering = ["order", "id"]

    def __str__(self) -> str:
        who = self.group.name if self.group is not None else self.permission or self.get_kind_display()
        return f"{who}: {self.role or '-'}"


class IdentityChange(models.Model):
    """Something changed that live sessions may hang on; every process reads this and looks at its sessions again.

    ``key`` is the primary key of a user, the digest of a Django session's key, or realm and authid of a principal.
    ``session`` and ``logout`` say that a Django session, and all of a user's, have ended.
    """

    KINDS = [(kind, kind) for kind in ("user", "session", "logout", "principal", "everybody")]

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=10, choices=KINDS)
    key = models.CharField(max_length=600, blank=True)
    changed_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name = _("change of identities")
        verbose_name_plural = _("changes of identities")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
