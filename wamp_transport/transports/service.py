"""A running WAMP service: what the consumer and the server protocol need to know of one configured path."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ..config.websocket import WebSocketOptions, WebSocketSection
from ..node.connection import Connection, Lane, Link
from ..node.node import Node
from ..router.options import ServiceOptions
from ..serializers.serializer import Serializer
from ..wamp.errors import CLOSE_REALM
from .cookies import VISITOR, CookieTracker
from .negotiation import Terms, installed
from .origins import OriginPolicy
from .session_cookie import SessionCookies

CHANGED: Final = "the service was removed, or who may use it has changed"

TLS_DETAILS: Final = "wamp_transport.tls"
"""Name of the ASGI scope extension that holds what TLS tells: ``channel_id`` and, if there is one, ``peer_cert``."""


@dataclass(frozen=True, slots=True)
class WampService:
    """One WebSocket service on a running node."""

    node: Node
    options: ServiceOptions
    terms: Terms
    websocket: WebSocketOptions
    cookies: CookieTracker | None = None
    django_sessions: SessionCookies | None = None

    @classmethod
    def build(
        cls, node: Node, options: ServiceOptions, settings: WebSocketSection, cookies: CookieTracker | None = None
    ) -> "WampService":
        """The service that a configured section describes."""
        websocket = settings.options
        terms = Terms(
            serializers=installed(settings.offered_serializers),
            origins=OriginPolicy(
                websocket.allowed_origins,
                allow_null=websocket.allow_null_origin,
                allow_missing=websocket.allow_missing_origin,
            ),
            external_port=websocket.external_port,
            require_subprotocol=websocket.require_websocket_subprotocol,
        )
        login = settings.auth.django_session if settings.auth is not None else None
        sessions = SessionCookies(login.trusted_origins) if login is not None and login.enabled else None
        return cls(node, options, terms, websocket, cookies, sessions)

    def connect(self, lane: Lane, link: Link, scope: Mapping[str, Any]) -> Connection:
        """A connection of this service, until it is told that it is lost. ``scope`` is that of the handshake."""
        details = transport_details(scope, lane.serializer)
        options = self.current_options
        connection = self.node.connect(for_client(options or self.options, scope), lane, link, details)
        if options is None:
            self.node.leave(connection.session_id, CLOSE_REALM, CHANGED)
        if self.django_sessions is not None:
            connection.credentials = self.django_sessions.find(scope)
        return connection

    @property
    def current_options(self) -> ServiceOptions | None:
        """The options that hold for new sessions; None if a newer configuration does not admit what this one does.

        A handshake takes time, and the configuration may change meanwhile.
        """
        return self.node.current_service(self.options)


def for_client(options: ServiceOptions, scope: Mapping[str, Any]) -> ServiceOptions:
    """Anonymous sessions of a client known by its cookie have its public id as authid, unless one is configured."""
    if VISITOR not in scope or options.anonymous is None:
        return options
    return replace(options, anonymous=replace(options.anonymous, client_id=scope[VISITOR].id))


def transport_details(scope: Mapping[str, Any], serializer: Serializer) -> dict[str, Any]:
    """What the meta API tells of a session's transport, in the words that Crossbar uses."""
    client = scope.get("client")
    is_secure = scope.get("scheme") in ("wss", "https")
    details = {
        "channel_type": "tls" if is_secure else "tcp",
        "channel_framing": "websocket",
        "channel_serializer": serializer.name,
        "peer": f"tcp:{client[0]}:{client[1]}" if client else "unix",
        "is_secure": is_secure,
        "websocket_protocol": serializer.subprotocol,
        **((scope.get("extensions") or {}).get(TLS_DETAILS) or {}),
    }
    if VISITOR in scope:
        details["http_cbtid"] = scope[VISITOR].id
    return details
