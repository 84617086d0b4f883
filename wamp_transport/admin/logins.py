"""The part that forms of WebSocket services on a path and on a port of their own have in common."""

from typing import Any

from wamp_transport.admin.row_form import RowForm


class WebSocketForm(RowForm):
    """A form whose row may be a WebSocket service."""

    def completed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """A role or authid for anonymous clients says how they log in: the type need not be chosen."""
        auth = settings.get("auth")
        anonymous = auth.get("anonymous") if isinstance(auth, dict) else None
        if isinstance(anonymous, dict) and "type" not in anonymous:
            anonymous["type"] = "static"
        return settings
