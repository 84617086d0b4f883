"""The addresses at which programs on the same host can reach the WAMP services of this process."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from ..config.configuration import Configuration, Transport
from ..config.endpoint import TcpEndpoint, UnixEndpoint
from ..config.websocket import WebSocketOptions, WebSocketSection
from ..stores.operators import WampService
from ..transports.listener import Listener
from ..transports.origins import SAME_ORIGIN

LOOPBACK_ADDRESSES: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not listened on


def local_endpoints(configuration: Configuration, listeners: Mapping[str, Listener]) -> list[dict[str, Any]]:
    """Return the WAMP services as dictionaries for JSON, with the fields of :class:`~..stores.operators.WampService`.

    ``listeners`` maps transport keys to listeners. A listener whose key is not that of a transport serves the first
    transport. Listeners that require a client certificate are left out.
    """
    transports = {one.key: one for one in configuration.transports}
    first = next(iter(configuration.transports), None)
    found: list[dict[str, Any]] = []
    for key, listener in listeners.items():
        transport = transports.get(key, first)
        if transport is not None and not _wants_certificate(listener):
            found += [asdict(one) for one in _services(configuration, transport, listener)]
    return found


def _services(configuration: Configuration, transport: Transport, listener: Listener) -> list[WampService]:
    is_unix = isinstance(listener.endpoint, UnixEndpoint)
    authority = "localhost" if is_unix else _authority(listener)
    secured = "s" if listener.tls is not None else ""
    names = [realm.name for realm in configuration.realms]
    return [
        WampService(
            f"ws{secured}://{authority}{service.path}",
            tuple(name for name in names if service.realms is None or name in service.realms),
            str(listener.path) if is_unix else None,
            _origin(service.settings.options, f"http{secured}://{authority}"),
        )
        for service in transport.paths
        if isinstance(service.settings, WebSocketSection)
    ]


def _authority(listener: Listener) -> str:
    assert isinstance(listener.endpoint, TcpEndpoint)  # noqa: S101 - the caller has checked the type
    host = LOOPBACK_ADDRESSES.get(listener.interface, listener.interface)
    return f"[{host}]:{listener.endpoint.port}" if ":" in host else f"{host}:{listener.endpoint.port}"


def _origin(options: WebSocketOptions, own: str) -> str | None:
    """Return an Origin header that the service allows; None if clients need not send one.

    ``own`` is the origin of the service itself.
    """
    if options.allow_missing_origin:
        return None
    plain = (one for one in options.allowed_origins if one != SAME_ORIGIN and "*" not in one)
    return own if SAME_ORIGIN in options.allowed_origins or "*" in options.allowed_origins else next(plain, own)


def _wants_certificate(listener: Listener) -> bool:
    tls = listener.endpoint.tls if isinstance(listener.endpoint, TcpEndpoint) else None
    return tls is not None and tls.refuses_clients_without_certificate
