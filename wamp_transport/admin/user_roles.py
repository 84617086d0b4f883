"""The admin of the table that gives roles to Django users."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from wamp_transport.admin.generics import AnyModelAdmin, AnyModelForm
from wamp_transport.models import UserRole
from wamp_transport.router.options import TRUSTED


class UserRoleForm(AnyModelForm):
    """The form for one row of the table of roles.

    The row needs a group, a permission, or neither, depending on the kind of users that it matches.
    """

    class Meta:
        model = UserRole
        fields = ("order", "realm", "kind", "group", "permission", "role")

    def clean(self) -> None:
        """Check that the field which the selected kind needs is filled in, and clear the fields of the other kinds."""
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


@admin.register(UserRole)
class UserRoleAdmin(AnyModelAdmin):
    """The admin of the table that gives roles to Django users. The first row that matches a user applies."""

    form = UserRoleForm
    list_display = ("__str__", "order", "realm", "kind", "group", "permission", "role")
    list_display_links = ("__str__",)
    list_editable = ("order",)
    list_filter = ("realm", "kind", "role")
    search_fields = ("role", "permission", "group__name")
