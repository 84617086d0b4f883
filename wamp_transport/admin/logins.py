"""The base class of forms for WebSocket services, at a path or as a separate transport."""

from typing import Any

from wamp_transport.admin.row_form import RowForm
from wamp_transport.config.auth_methods import AUTH_METHODS

_TYPES = {"authenticator": "dynamic", "create": "function"}


class WebSocketForm(RowForm):
    """The form of a row that can be a WebSocket service."""

    def completed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the settings to save.

        If an authentication method has no ``type``, derive the type from the attributes that are set.
        """
        auth = settings.get("auth")
        with_types = {method.name for method in AUTH_METHODS if method.has_principal_source}
        for name, method in auth.items() if isinstance(auth, dict) else ():
            if name in with_types and isinstance(method, dict) and "type" not in method:
                method["type"] = next((kind for key, kind in _TYPES.items() if key in method), "static")
        return settings
