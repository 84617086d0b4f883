"""A running WAMP service: the options of one configured path, and the connections that it creates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ..config.websocket import WebSocketOptions, WebSocketSection
from ..node.connection import Connection, ConnectionTransport, MessageEncoder
from ..node.node import Node
from ..router.options import ServiceOptions
from ..serializers.serializer import Serializer
from ..wamp.errors import CLOSE_REALM
from .cookies import VISITOR, CookieTracker, SessionCookies
from .hosts import is_host_of_django, is_known_host
from .negotiation import HandshakeTerms, installed
from .origins import OriginPolicy

CHANGED: Final = "the service was removed, or its options for logins have changed"

TLS_DETAILS: Final = "wamp_transport.tls"
"""The name of the ASGI scope extension with the details of TLS.

It contains ``channel_id`` and, for a client with a certificate, ``peer_cert``.
"""


@dataclass(frozen=True, slots=True)
class WampService:
    """One WebSocket service on a running node."""

    node: Node
    options: ServiceOptions
    terms: HandshakeTerms
    websocket: WebSocketOptions
    cookies: CookieTracker | None = None
    django_sessions: SessionCookies | None = None

    @classmethod
    def build(
        cls, node: Node, options: ServiceOptions, settings: WebSocketSection, cookies: CookieTracker | None = None
    ) -> "WampService":
        """Build a service from its section in the configuration."""
        websocket = settings.options
        login = settings.auth.django_session if settings.auth is not None else None
        sessions = SessionCookies(login.trusted_origins) if login is not None and login.enabled else None
        terms = HandshakeTerms(
            serializers=installed(settings.offered_serializers),
            origins=OriginPolicy(
                websocket.allowed_origins,
                allow_null=websocket.allow_null_origin,
                allow_missing=websocket.allow_missing_origin,
                knows_host=is_known_host if sessions is None else is_host_of_django,
            ),
            external_port=websocket.external_port,
            require_subprotocol=websocket.require_websocket_subprotocol,
        )
        return cls(node, options, terms, websocket, cookies, sessions)

    def connect(self, encoder: MessageEncoder, transport: ConnectionTransport, scope: Mapping[str, Any]) -> Connection:
        """Create a connection to this service. ``scope`` is the ASGI scope of the handshake.

        The caller must call the connection's method ``lost`` when the socket is closed.
        """
        details = transport_details(scope, encoder.serializer)
        options = self.current_options
        connection = self.node.connect(for_client(options or self.options, scope), encoder, transport, details)
        if options is None:
            # The configuration has changed during the handshake. It is too late to refuse the handshake, so the session
            # is closed.
            self.node.leave(connection.session_id, CLOSE_REALM, CHANGED)
        if self.django_sessions is not None:
            connection.credentials = self.django_sessions.find(scope)
        return connection

    @property
    def current_options(self) -> ServiceOptions | None:
        """The options for new sessions; None if a newer configuration removes the service or restricts its logins.

        The configuration can change during a handshake. Therefore, read this property at the end of the handshake.
        """
        return self.node.current_service(self.options)


def for_client(options: ServiceOptions, scope: Mapping[str, Any]) -> ServiceOptions:
    """Return the options of a service, adapted to the client of a handshake.

    If the client was recognized by its cookie, its anonymous sessions use the public ID of the cookie as their authid,
    unless an authid is configured.
    """
    if VISITOR not in scope or options.anonymous is None:
        return options
    return replace(options, anonymous=replace(options.anonymous, client_id=scope[VISITOR].id))


def transport_details(scope: Mapping[str, Any], serializer: Serializer) -> dict[str, Any]:
    """Return the details of a session's transport for the meta API, under the names that Crossbar uses."""
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
