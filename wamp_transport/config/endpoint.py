"""Endpoints, the addresses that transports listen on: TCP, with or without TLS, and Unix domain sockets."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from wamp_transport.config.environment_variables import number_from_environment
from wamp_transport.config.section import Finding, Section, Unoffered, setting

Port = Annotated[int, BeforeValidator(number_from_environment, json_schema_input_type=int | str)]


FILE = r"^[^\x00-\x1f]+$"


class TlsSection(Section):
    """The certificate and key of a TLS endpoint, as paths of PEM files. The minimum TLS version is 1.2."""

    key: str = setting(
        ...,
        "Path of the private key (PEM, without a password), absolute or relative to the directory of the "
        "configuration file.",
        pattern=FILE,
        expected="the path of a file",
    )
    certificate: str = setting(
        ...,
        "Path of the certificate (PEM). If the file contains further certificates, they are sent as its chain.",
        pattern=FILE,
        expected="the path of a file",
    )
    chain_certificates: tuple[Annotated[str, Field(pattern=FILE)], ...] = setting(
        (), "Paths of intermediate certificates (PEM). They are sent after the certificate, in this order."
    )
    ca_certificates: tuple[Annotated[str, Field(pattern=FILE)], ...] = setting(
        (),
        "Paths of the certificates (PEM) of the authorities that issue client certificates. If any are given, clients "
        "are asked for a certificate, and a certificate that none of these authorities signed is refused.",
    )
    require_client_certificate: bool | None = setting(
        None,
        "Refuse clients without a certificate. Null: refuse them if `ca_certificates` are given.",
    )
    dhparam: str | None = setting(
        None,
        "Path of Diffie-Hellman parameters (PEM) for DHE ciphers. Not needed for ECDHE.",
        pattern=FILE,
        expected="the path of a file",
    )
    ciphers: str | None = setting(
        None,
        "Ciphers for TLS 1.2, in OpenSSL's format. Null: those with forward secrecy and authenticated encryption.",
        pattern=r"^[A-Za-z0-9_:+!@=,\- ]+$",
        expected="a cipher list of OpenSSL",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the two options for client certificates are consistent."""
        required, authorities = given.get("require_client_certificate"), given.get("ca_certificates")
        if required is True and not authorities:
            yield Finding(("require_client_certificate",), "needs `ca_certificates`, which sign the accepted ones")

    @property
    def refuses_clients_without_certificate(self) -> bool:
        """Whether clients must present a certificate. By default, they must if ``ca_certificates`` is set."""
        if self.require_client_certificate is None:
            return bool(self.ca_certificates)
        return self.require_client_certificate


class TcpEndpoint(Section):
    """A TCP port to listen on."""

    type: Literal["tcp"] = setting(..., 'Must be "tcp".')
    port: Port = setting(
        ...,
        'TCP port, 1 to 65535, or "$NAME" to read it from the environment variable NAME.',
        ge=1,
        le=65535,
        expected='a port from 1 to 65535, or "$NAME" for an environment variable',
    )
    interface: str = setting(
        "", "Address of the interface to listen on, such as 127.0.0.1 or ::1. Empty: all interfaces.", pattern=r"^\S*$"
    )
    version: Literal[4, 6] = setting(4, "IP version, 4 or 6, if the interface does not determine it.")
    backlog: int = setting(50, "Maximum number of connections that wait to be accepted.", ge=1, le=65535)
    shared: bool = setting(
        False,
        "Let several processes listen on the same port (SO_REUSEPORT, Linux).",
    )
    user_timeout: int | None = setting(
        None,
        "Time in milliseconds that sent data may stay unacknowledged before the connection is closed "
        "(TCP_USER_TIMEOUT, Linux). 0 or null: the system decides.",
        unit="ms",
        ge=0,
        le=65535,
    )
    tls: TlsSection | None = setting(None, "Certificate and key for TLS. Null: no TLS.")
    portrange: Any = setting(
        None, "First and last port of a range to choose from.", refused="port ranges are not offered; give `port`"
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the interface matches the IP version."""
        version = given.get("version")
        address = _address(given.get("interface"))
        if address is not None and version in (4, 6) and address.version != version:
            yield Finding(
                ("version",),
                f"expected {address.version}, as the interface is an IPv{address.version} address, found {version}",
            )


class UnixEndpoint(Section):
    """A Unix domain socket to listen on."""

    type: Literal["unix"] = setting(..., 'Must be "unix".')
    path: str = setting(
        ...,
        "Path of the socket, absolute or relative to the directory of the configuration file.",
        pattern=r"^[^\x00]+$",
        expected="the path of a socket",
    )
    backlog: int = setting(50, "Maximum number of connections that wait to be accepted.", ge=1, le=65535)


class OtherEndpoint(Section, extra="allow"):
    """An endpoint of a type that Crossbar supports and this router does not."""

    type: Literal["twisted", "onion"] = setting(..., "A kind of endpoint that is not offered.")
    unoffered: ClassVar[Unoffered | None] = Unoffered(
        'endpoints of type "{type}" are not offered, so nothing could listen here',
        "offered: tcp, unix",
        "fault",
    )


Endpoint = Annotated[TcpEndpoint | UnixEndpoint | OtherEndpoint, Field(discriminator="type")]

DEFAULT_ENDPOINT = TcpEndpoint(type="tcp", port=8080, interface="127.0.0.1")


def _address(interface: object) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(interface) if isinstance(interface, str) else None
    except ValueError:
        return None
