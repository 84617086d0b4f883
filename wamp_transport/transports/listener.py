"""The address of a transport and the options of its connections, in the form that the server uses."""

from dataclasses import dataclass, field
from pathlib import Path

from ..config.certificates import TlsFiles
from ..config.configuration import Configuration, Transport
from ..config.endpoint import TcpEndpoint, UnixEndpoint
from ..config.transport import DEFAULT_MAX_CONNECTIONS, WebOptions


@dataclass(frozen=True, slots=True)
class Listener:
    """A transport that the server opens, with its address and options.

    ``path`` is the absolute path of a Unix socket. ``config_path`` is the transport's location in the configuration
    and is used in error messages.
    """

    endpoint: TcpEndpoint | UnixEndpoint
    path: Path | None = None
    tls: TlsFiles | None = None
    options: WebOptions = field(default_factory=WebOptions)
    max_connections: int = DEFAULT_MAX_CONNECTIONS
    max_connections_per_address: int | None = None
    trusted_proxies: tuple[str, ...] = ()
    config_path: str = ""

    @classmethod
    def of(
        cls, configuration: Configuration, transport: Transport, endpoint: TcpEndpoint | UnixEndpoint | None = None
    ) -> "Listener":
        """Return the listener for a configured transport.

        If ``endpoint`` is given, use it instead of the endpoint of the transport. TLS is used only if the endpoint in
        use configures TLS.
        """
        endpoint = endpoint or transport.listening
        has_tls = isinstance(endpoint, TcpEndpoint) and endpoint.tls is not None
        return cls(
            endpoint,
            configuration.resolve(endpoint.path) if isinstance(endpoint, UnixEndpoint) else None,
            configuration.tls_files(transport) if has_tls else None,
            transport.options,
            transport.max_connections,
            transport.max_connections_per_address,
            transport.trusted_proxies,
            transport.config_path,
        )

    @property
    def interface(self) -> str:
        """The address to listen on; empty for all IPv4 interfaces."""
        if isinstance(self.endpoint, UnixEndpoint):
            return ""
        return self.endpoint.interface.strip("[]") or ("::" if self.endpoint.version == 6 else "")

    @property
    def address(self) -> str:
        """The address and options of the socket as text. If they change, a new socket must be opened."""
        endpoint = self.endpoint
        if isinstance(endpoint, UnixEndpoint):
            return f"unix:{self.path or endpoint.path} backlog {endpoint.backlog}"
        shared = " shared" if endpoint.shared else ""
        return f"tcp:{self.interface}:{endpoint.port} backlog {endpoint.backlog}{shared}"

    def __str__(self) -> str:
        if isinstance(self.endpoint, UnixEndpoint):
            return f"unix:{self.path or self.endpoint.path}"
        interface = f"[{self.interface}]" if ":" in self.interface else self.interface or "*"
        return f"tcp:{interface}:{self.endpoint.port}{' with TLS' if self.tls is not None else ''}"
