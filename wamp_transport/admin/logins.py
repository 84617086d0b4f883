"""The base class of forms for WebSocket services, both on a path and on a separate port."""

from typing import Any

from wamp_transport.admin.row_form import RowForm
from wamp_transport.config.auth_methods import AUTH_METHODS

_TYPES = {"authenticator": "dynamic", "create": "function"}


class WebSocketForm(RowForm):
    """The form of a row that may be a WebSocket service."""

    def completed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Add the ``type`` of each authentication method that follows from its other attributes."""
        auth = settings.get("auth")
        with_types = {method.name for method in AUTH_METHODS if method.has_principal_source}
        for name, method in auth.items() if isinstance(auth, dict) else ():
            if name in with_types and isinstance(method, dict) and "type" not in method:
                method["type"] = next((kind for key, kind in _TYPES.items() if key in method), "static")
        return settings
