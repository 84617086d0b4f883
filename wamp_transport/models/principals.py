"""The models of logins: principals, credentials, and the roles of Django users.

Only hashes, derived keys and public keys are stored, never the secrets themselves.
"""

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .optional_apps import group_reference, user_reference

METHODS = [
    ("ticket", _("ticket: the client sends the secret")),
    ("wampcra", _("WAMP-CRA: the client answers a challenge")),
    ("wamp-scram", _("SCRAM with Argon2id as in the specification (wamp-scram)")),
    ("scram", _("SCRAM with Argon2id as in Autobahn and Crossbar (scram)")),
    ("scram-pbkdf2", _("SCRAM with PBKDF2 (wamp-scram and scram)")),
    ("cryptosign", _("cryptosign: a public key")),
    ("tls", _("TLS client certificate: its fingerprint")),
]


class Principal(models.Model):
    """A person, program or device that logs in to a realm with an authid and a role."""

    id = models.BigAutoField(primary_key=True)
    realm = models.CharField(
        _("realm"), max_length=255, help_text=_("Name of the realm that this principal belongs to.")
    )
    authid = models.CharField(_("authid"), max_length=255, help_text=_("Name with which the principal logs in."))
    role = models.CharField(_("role"), max_length=255, help_text=_("Name of the role of its sessions in the realm."))
    user: Any = models.ForeignKey(
        **user_reference("principal"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("Django user"),
        help_text=_("Optional owner. Handlers get this user, and deleting the user deletes the principal."),
    )
    is_active = models.BooleanField(
        _("active"),
        default=True,
        help_text=_("A principal that is not active cannot log in, and its sessions are closed."),
    )
    expires_at = models.DateTimeField(
        _("expires at"),
        null=True,
        blank=True,
        help_text=_("Time from which the principal cannot log in. Empty: never."),
    )
    authextra = models.JSONField(
        _("extra"),
        null=True,
        blank=True,
        default=None,
        help_text=_("A JSON object that is sent to its clients in WELCOME."),
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
                violation_error_message=_("This realm already has a principal with this authid."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.realm}: {self.authid}"


class Credential(models.Model):
    """A credential of a principal.

    The keys of ``data`` depend on the method:

    - ticket: ``hash``, made by Django's password hashers;
    - wampcra: ``key``, ``salt``, ``iterations``, ``keylen``;
    - the SCRAM methods: ``kdf``, ``salt``, ``iterations``, ``memory``, ``stored_key``, ``server_key``;
    - cryptosign and tls: none.

    ``fingerprint`` is the public key in hex for cryptosign, and the fingerprint of the certificate for tls. For the
    other methods it only identifies the credential, and reveals nothing about the secret.
    """

    id = models.BigAutoField(primary_key=True)
    principal = models.ForeignKey(Principal, models.CASCADE, related_name="credentials", verbose_name=_("principal"))
    method = models.CharField(_("method"), max_length=20, choices=METHODS)
    label = models.CharField(
        _("label"),
        max_length=100,
        blank=True,
        help_text=_("A note for people, for example where the credential is used."),
    )
    data = models.JSONField(_("data"), default=dict, editable=False)
    fingerprint = models.CharField(_("fingerprint"), max_length=100, editable=False, db_index=True)
    expires_at = models.DateTimeField(
        _("expires at"),
        null=True,
        blank=True,
        help_text=_("Time from which the credential is not accepted. Empty: never."),
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
    """A row in the table that gives roles to Django users.

    The first row that matches a user determines the user's role in a realm.
    """

    KINDS = [
        ("group", _("members of the group")),
        ("permission", _("users with the permission")),
        ("staff", _("staff")),
        ("superuser", _("superusers")),
        ("everybody", _("every active user")),
    ]

    id = models.BigAutoField(primary_key=True)
    order = models.PositiveIntegerField(
        _("order"),
        default=0,
        help_text=_("Lines are tried in the order of this number; those with the same number, by age."),
    )
    realm = models.CharField(_("realm"), max_length=255, blank=True, help_text=_("Name of a realm. Empty: all realms."))
    kind = models.CharField(_("users"), max_length=10, choices=KINDS, default="group")
    group: Any = models.ForeignKey(
        **group_reference("userrole"),
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("group"),
    )
    permission = models.CharField(
        _("permission"),
        max_length=255,
        blank=True,
        help_text=_("Name of a Django permission, for example shop.change_order."),
    )
    role = models.CharField(
        _("role"),
        max_length=255,
        blank=True,
        help_text=_("Name of the role that these users get. Empty: they may not join."),
    )

    class Meta:
        verbose_name = _("role of Django users")
        verbose_name_plural = _("roles of Django users")
        ordering = ["order", "id"]

    def __str__(self) -> str:
        who = self.group.name if self.group is not None else self.permission or self.get_kind_display()
        return f"{who}: {self.role or '-'}"


class IdentityChange(models.Model):
    """A change of a user, Django session or principal. Every node reads the changes and closes invalid sessions.

    ``key`` is the primary key of a user, the digest of a Django session's key, or the realm and authid of a principal.
    The kind ``session`` means that a Django session has ended; ``logout`` means that all Django sessions of a user have
    ended. The kind ``everybody`` has no key and concerns all users.
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
