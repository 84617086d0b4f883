"""The base class of forms for WebSocket services, at a path or as a separate transport."""

from typing import Any

from django import forms
from django.utils.translation import gettext

from wamp_transport.admin.attribute_fields import ABSENT, AttributeField
from wamp_transport.admin.row_form import RowForm, put_at, value_at
from wamp_transport.config.auth_methods import ANONYMOUS, AUTH_METHODS

_TYPES = {"authenticator": "dynamic", "create": "function"}

ANONYMOUS_TYPE = f"auth.{ANONYMOUS.name}.type"

OFF = "off"
"""The choice that disables anonymous login.

It is not stored: if there are other methods, anonymous login is disabled unless the configuration has an entry for it.
"""


class WebSocketForm(RowForm):
    """The form for a row that can be a WebSocket service.

    If the section ``auth`` has no entry at all, anonymous clients can log in. If it has only entries for other methods,
    they cannot. The form shows whether anonymous login is enabled. Adding the first other method would disable it, so
    the user must then choose explicitly.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, attribute in self.attributes.items():
            field = self.fields.get(name)
            if not isinstance(field, AttributeField):
                continue  # the form of a user who may only view the row
            section, _, key = attribute.path.rpartition(".")
            if attribute.path == ANONYMOUS_TYPE:
                self._offer_anonymous_login(name, field)
            elif key == "enabled" and value_at(self.stored, section) is ABSENT:
                field.show_default(gettext("no, as long as no field of this group is set"))

    def _offer_anonymous_login(self, name: str, field: AttributeField) -> None:
        """Replace the choices for anonymous login, and select the current one."""
        if self._has_other_logins(self.stored) and not self.initial[name]:
            self.initial[name] = OFF
        field.show_default(gettext("yes, as long as no other login is configured"))
        select: Any = field.widget
        default, *types = select.choices
        select.choices = [default, (OFF, gettext("No")), *types]

    def completed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the settings to save. If an authentication method has no ``type``, add it.

        The type depends on the other attributes of the method.
        """
        self._check_anonymous_login(settings)
        auth = settings.get("auth")
        with_types = {method.name for method in AUTH_METHODS if method.has_principal_source}
        for name, method in auth.items() if isinstance(auth, dict) else ():
            if name in with_types and isinstance(method, dict) and "type" not in method:
                method["type"] = next((kind for key, kind in _TYPES.items() if key in method), "static")
        return settings

    def _check_anonymous_login(self, settings: dict[str, Any]) -> None:
        """Check the choice for anonymous login. Remove the value ``off`` from ``settings``.

        An explicit choice is required if there are other methods. ``off`` is refused if there are none, or if other
        fields for anonymous login are filled in.
        """
        name = next((name for name, one in self.attributes.items() if one.path == ANONYMOUS_TYPE), None)
        if name is None or name not in self.cleaned_data:
            return
        has_others, chosen = self._has_other_logins(settings), self.cleaned_data[name]
        if chosen == OFF:
            if value_at(settings, ANONYMOUS_TYPE) == OFF:
                put_at(settings, ANONYMOUS_TYPE, ABSENT)
            if value_at(settings, f"auth.{ANONYMOUS.name}") is not ABSENT:
                self._refuse(name, gettext("Anonymous login is off, but its other fields are not empty. Clear them."))
            elif not has_others:
                text = gettext("Without any other login, anonymous clients can log in. Configure another one first.")
                self._refuse(name, text)
        elif has_others and value_at(settings, f"auth.{ANONYMOUS.name}") is ABSENT:
            text = gettext(
                "With another login, the default is that anonymous clients can no longer log in. Choose static to let "
                "them in, or No to refuse them."
            )
            self._refuse(name, text)

    def _refuse(self, name: str, text: str) -> None:
        self.add_error(name, forms.ValidationError(text, code="anonymous"))

    @staticmethod
    def _has_other_logins(settings: dict[str, Any]) -> bool:
        """Return whether ``auth`` has an entry, even a disabled one, for a method other than anonymous login."""
        auth = settings.get("auth")
        return isinstance(auth, dict) and any(name != ANONYMOUS.name for name in auth)
