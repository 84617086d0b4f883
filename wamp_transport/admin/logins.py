"""The part that forms of WebSocket services on a path and on a port of their own have in common."""

from typing import Any

from wamp_transport.admin.row_form import RowForm

_TYPES = {"authenticator": "dynamic", "create": "function"}
_TYPELESS = ("cookie", "token", "django-session")


class WebSocketForm(RowForm):
    """A form whose row may be a WebSocket service."""

    def completed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """What is given of a method says who decides on it: the type need not be chosen."""
        auth = settings.get("auth")
        for name, method in auth.items() if isinstance(auth, dict) else ():
            if name not in _TYPELESS and isinstance(method, dict) and "type" not in method:
                method["type"] = next((kind for key, kind in _TYPES.items() if key in method), "static")
        return settings
