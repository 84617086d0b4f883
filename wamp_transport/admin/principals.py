"""The pages for principals. A secret is entered once, stored as a hash or derived key, and never shown again."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wamp_transport.admin.ending_sessions import EndingSessionsAdmin, Impact, visible_sessions
from wamp_transport.admin.generics import AnyInlineFormSet, AnyModelForm, AnyTabularInline
from wamp_transport.auth.credential_kinds import CREDENTIAL_KINDS
from wamp_transport.auth.providers import AuthProvider
from wamp_transport.models import Credential, Principal
from wamp_transport.router.options import TRUSTED
from wamp_transport.stores.identity import principals
from wamp_transport.stores.identity.credentials import keep, public

MAX_VALID_SECRETS = 2
"""The maximum number of valid secrets of one method: the old and the new one."""


class PrincipalForm(AnyModelForm):
    """The form for a principal. The role that is reserved for the router is not accepted."""

    def clean_role(self) -> str:
        """Return the role, after checking that it is not reserved for the router."""
        role: str = self.cleaned_data["role"]
        if role == TRUSTED:
            raise ValidationError(gettext("The role trusted is the router's own."))
        return role

    def clean_authextra(self) -> Any:
        """Return the value, after checking that it is an object or empty."""
        extra = self.cleaned_data["authextra"]
        if extra is not None and not isinstance(extra, dict):
            raise ValidationError(gettext("Enter an object, such as {}."))
        return extra


class CredentialForm(AnyModelForm):
    """The form for a credential.

    A new credential needs a secret. Only the label and the expiry of a stored credential can be changed.
    """

    secret = forms.CharField(
        label=_("secret, key or fingerprint"),
        required=False,
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("For new credentials only. It is not shown again. To replace a secret, add a new credential."),
    )

    class Meta:
        model = Credential
        fields = ("method", "label", "secret", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.fields["method"].disabled = True
            self.fields["secret"].disabled = True

    def has_changed(self) -> bool:
        """Return whether the user has entered anything. In a new row, choosing a method alone does not count."""
        return super().has_changed() and (self.instance.pk is not None or self.changed_data != ["method"])

    def clean(self) -> None:
        """Check that a new credential has a secret that is valid for its method."""
        super().clean()
        method, secret = self.cleaned_data.get("method"), self.cleaned_data.get("secret")
        if self.instance.pk is not None or not method:
            return
        if not secret:
            self.add_error("secret", gettext("Enter the secret, the public key or the fingerprint."))
        elif CREDENTIAL_KINDS[method].is_public:
            try:
                public(method, secret)
            except ValueError as fault:
                self.add_error("secret", str(fault))


class CredentialFormSet(AnyInlineFormSet):
    """The form set for a principal's credentials. At most two secrets of each method can be valid at the same time."""

    def clean(self) -> None:
        """If all forms are valid, derive the stored data of new secrets, and check the number of valid secrets.

        Deriving is slow, so it is not done for forms with errors.
        """
        super().clean()
        if any(self.errors):
            return
        now = timezone.now()
        counting: dict[str, list[Credential]] = {}
        forms_left = [form for form in self.forms if form.has_changed() or form.instance.pk is not None]
        for form in sorted(forms_left, key=lambda form: form.instance.pk is None):
            if form.cleaned_data.get("DELETE"):
                continue
            row, method = form.instance, form.cleaned_data["method"]
            others = counting.setdefault(method, [])
            if row.pk is None:
                self._derive(form, others[-1] if others else None)
            if row.expires_at is None or row.expires_at > now:
                others.append(row)
            if not CREDENTIAL_KINDS[method].is_public and len(others) > MAX_VALID_SECRETS:
                raise ValidationError(
                    gettext("At most two secrets of a method may be valid at a time. Delete one or let it expire: %s.")
                    % row.get_method_display()
                )

    @staticmethod
    def _derive(form: Any, other: Credential | None) -> None:
        try:
            kept = keep(form.cleaned_data["method"], form.cleaned_data["secret"], None if other is None else other.data)
        except ValueError as fault:
            form.add_error("secret", str(fault))
            raise ValidationError(gettext("A secret cannot be used.")) from fault
        form.instance.data, form.instance.fingerprint = kept.data, kept.fingerprint


class CredentialInline(AnyTabularInline):
    """The inline for the credentials of a principal."""

    model = Credential
    form = CredentialForm
    formset = CredentialFormSet
    extra = 1
    fields = ("method", "label", "secret", "expires_at", "fingerprint", "created_at", "last_used_at")
    readonly_fields = ("fingerprint", "created_at", "last_used_at")


@admin.register(Principal)
class PrincipalAdmin(EndingSessionsAdmin):
    """The admin for principals that log in with credentials from the database."""

    form = PrincipalForm
    fields = ("realm", "authid", "role", "user", "is_active", "expires_at", "authextra", "created_at", "last_used_at")
    raw_id_fields = ("user",)
    readonly_fields = ("created_at", "last_used_at")
    list_display = ("authid", "realm", "role", "is_active", "expires_at", "last_used_at", "methods")
    list_filter = ("is_active", "realm", "role")
    search_fields = ("authid", "credentials__label", "credentials__fingerprint")
    inlines = (CredentialInline,)

    def impact_of_deletion(self, rows: Iterable[Any]) -> Impact:
        """Return the number of sessions of these principals. All of them end if the principals are deleted."""
        names = {(row.realm, row.authid) for row in rows}
        visible = visible_sessions()
        count = visible.count(
            lambda group: group.provider == AuthProvider.DATABASE and (group.realm, group.authid) in names
        )
        return Impact(count, visible.nodes)

    def state_before(self, form: Any) -> Principal | None:
        """Return the principal as it is stored; None for a new one."""
        return Principal.objects.filter(pk=form.instance.pk).first()

    def impact_of_change(self, before: Any, form: Any) -> Impact:
        """Return the number of sessions that the change ends.

        These are all sessions of the principal, unless it can still log in with the same role and Django user.
        """
        if before is None:
            return Impact()
        now = principals.find(before.realm, before.authid, ())
        user = None if before.user_id is None else str(before.user_id)
        if now is not None and (now.id, now.role, now.user) == (before.pk, before.role, user):
            return Impact()
        return self.impact_of_deletion([before])

    def get_queryset(self, request: HttpRequest) -> QuerySet[Principal]:
        """Return the rows with prefetched credentials, for the list."""
        rows: QuerySet[Principal] = super().get_queryset(request).prefetch_related("credentials")
        return rows

    @admin.display(description=_("methods"))
    def methods(self, row: Principal) -> str:
        """Return the methods of the principal's credentials."""
        return ", ".join(sorted({one.method for one in row.credentials.all()}))
