"""The admin page for the table that gives roles to Django users."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.models import model_to_dict
from django.utils.translation import gettext

from wamp_transport.admin.ending_sessions import EndingSessionsAdmin, Impact, visible_sessions
from wamp_transport.admin.generics import AnyModelForm
from wamp_transport.auth.providers import AuthProvider
from wamp_transport.bootstrap.sources import choose_source
from wamp_transport.config.report import ConfigError
from wamp_transport.models import UserRole
from wamp_transport.router.options import TRUSTED
from wamp_transport.stores.identity.user_roles import fault_in


class UserRoleForm(AnyModelForm):
    """The form for one row of the table of roles.

    The row needs a group, a permission, or neither, depending on the kind of users that it matches.
    """

    class Meta:
        model = UserRole
        fields = ("order", "realm", "kind", "group", "permission", "role")

    def clean(self) -> None:
        """Check that the field for the selected kind is filled in, and clear the fields for the other kinds."""
        super().clean()
        kind = self.cleaned_data.get("kind")
        for name, text in (
            ("group", gettext("Choose the group.")),
            ("permission", gettext("Enter a permission, such as shop.change_order.")),
        ):
            given: Any = self.cleaned_data.get(name)
            if kind != name:
                self.cleaned_data[name] = None if name == "group" else ""
            elif not given or (name == "permission" and given.count(".") != 1):
                self.add_error(name, text)

    def clean_role(self) -> str:
        """Return the role, after checking that it is not reserved for the router."""
        role: str = self.cleaned_data["role"]
        if role == TRUSTED:
            raise ValidationError(gettext("The role trusted is the router's own."))
        return role

    def _post_clean(self) -> None:
        """Check that the realm and the role exist."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            fault = fault_in(self.instance, choose_source().load())
        except ConfigError:
            return  # another page reports the errors in the configuration
        if fault is not None:
            self.add_error(fault.field, fault.message)


@admin.register(UserRole)
class UserRoleAdmin(EndingSessionsAdmin):
    """The admin for the table that gives roles to Django users. The first row that matches a user applies."""

    form = UserRoleForm
    list_display = ("__str__", "order", "realm", "kind", "group", "permission", "role")
    list_display_links = ("__str__",)
    list_editable = ("order",)
    list_filter = ("realm", "kind", "role")
    search_fields = ("role", "permission", "group__name")

    def impact_of_deletion(self, rows: Iterable[Any]) -> Impact:
        """Return the maximum number of sessions that end if ``rows`` are deleted.

        A session of a Django user ends if the role of the user changes. All sessions of Django users in the realms of
        the rows are counted.
        """
        realms = {row.realm for row in rows}
        visible = visible_sessions()
        count = visible.count(
            lambda group: (
                group.provider in (AuthProvider.DJANGO, AuthProvider.TOKEN) and bool(realms & {"", group.realm})
            )
        )
        return Impact(count, visible.nodes, is_maximum=True)

    def state_before(self, form: Any) -> UserRole | None:
        """Return the stored row; None for a new one."""
        return UserRole.objects.filter(pk=form.instance.pk).first()

    def impact_of_change(self, before: Any, form: Any) -> Impact:
        """Return the maximum number of sessions of Django users that end because of a new or changed row."""
        if before is not None and model_to_dict(before) == model_to_dict(form.instance):
            return Impact()
        return self.impact_of_deletion([form.instance, *([] if before is None else [before])])
