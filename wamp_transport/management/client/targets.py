"""The router to which a subcommand connects: a router with a given URL, or this project's node on this host."""

import getpass
import os
import ssl
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import DatabaseError

from wamp_transport.api.backends import credential_of
from wamp_transport.auth.credentials import Credential
from wamp_transport.auth.operators import Operator
from wamp_transport.conf import ApiSettings, app_settings
from wamp_transport.management.client.credentials import (
    add_credential_arguments,
    credential_given,
    credential_of_environment,
)
from wamp_transport.management.client.failures import UNREACHABLE, USAGE, Failure
from wamp_transport.models import RunningNode
from wamp_transport.node.remote import OFFERED_SERIALIZERS, ConnectOptions
from wamp_transport.router.options import TRUSTED
from wamp_transport.stores import operators
from wamp_transport.stores.cluster_states import form_one_router, is_connected
from wamp_transport.stores.connections import NoDatabase
from wamp_transport.stores.operators import WampService

OPEN_SECONDS: Final = 10.0
"""The time limit for the WebSocket opening handshake, in seconds."""
JOIN_SECONDS: Final = 30.0
"""The default time limit for the login, in seconds."""


@dataclass(frozen=True, slots=True)
class Target:
    """A router, a realm and a credential.

    ``pid`` is the ID of the node's process if the router is this project's node on this host; otherwise it is None. It
    is also None if several nodes listen at the same address. ``join_seconds`` is the time limit for the login.
    """

    url: str
    realm: str
    credential: Credential
    connect_options: ConnectOptions
    pid: int | None = None
    join_seconds: float = JOIN_SECONDS


def add_target_arguments(parser: ArgumentParser) -> None:
    """Add ``--url``, ``--realm`` and the other options that select a router."""
    group = parser.add_argument_group(
        "router",
        "If neither --url nor the environment variable WAMP_URL is given, the command connects to this project's node"
        " on this machine. If none is running, it connects to the URL in the setting WAMP_TRANSPORT['API']['URL'].",
    )
    group.add_argument("--url", help="URL of a WAMP router, such as wss://example.com/ws")
    group.add_argument("--realm", help="the realm; may be omitted if this project's node has only one")
    group.add_argument(
        "--node",
        metavar="NAME",
        help="the node to use if several nodes of this project run on this machine and do not form a cluster",
    )
    group.add_argument(
        "--serializer",
        choices=["json", "msgpack", "cbor"],
        help="default: msgpack, or json if the router does not offer msgpack",
    )
    group.add_argument(
        "--join-timeout",
        type=float,
        default=JOIN_SECONDS,
        metavar="SECONDS",
        help="time limit for the login (default: %(default)g)",
    )
    group.add_argument("--ca", metavar="FILE", help="trust the certificate authorities in this PEM file (for wss)")
    add_credential_arguments(parser)


def target_of(options: Mapping[str, Any], given: Credential | None = None) -> Target:
    """Return the target from the options, the environment and the settings.

    Raises Failure if these are invalid or contradictory, or if they do not determine a router, realm and credential.

    ``given`` is a credential that an earlier attempt has read. It is used again, because some credentials can be read
    only once, for example from a pipe.
    """
    if not options["join_timeout"] > 0:
        raise Failure("--join-timeout must be more than 0", USAGE)
    return replace(_target_of(options, given), join_seconds=options["join_timeout"])


def _target_of(options: Mapping[str, Any], given: Credential | None) -> Target:
    url = options["url"] or os.environ.get("WAMP_URL")
    if url:
        if options["node"] is not None:
            raise Failure(f"--node cannot be used with the URL {url}: a URL already selects a router", USAGE)
        return _at_url(url, options, given)
    settings = app_settings().api
    own = _own_nodes(options, is_needed=settings.url is None)
    if own:
        return _at_node(own, options, given)
    return _at_settings(settings, options, given)


def _at_url(url: str, options: Mapping[str, Any], given: Credential | None) -> Target:
    if not url.startswith(("ws://", "wss://")):
        raise Failure(f"{url!r} is not a WAMP URL: it must begin with ws:// or wss://", USAGE)
    credential = given or credential_given(options)
    if options["operator"]:
        credential = _operator(options)
    elif options["role"]:
        raise Failure(
            "--role works only with this project's node; other routers derive the role from the credential", USAGE
        )
    credential = credential or credential_of_environment(options["authid"])
    return Target(url, _realm(options), credential, _connect_options(options))


def _at_settings(settings: ApiSettings, options: Mapping[str, Any], given: Credential | None) -> Target:
    if options["role"]:
        raise Failure("--role works only with this project's node, and none is running on this machine", UNREACHABLE)
    credential = given or credential_given(options) or credential_of(settings)
    return Target(str(settings.url), _realm(options), credential, _connect_options(options))


def _at_node(nodes: Sequence[RunningNode], options: Mapping[str, Any], given: Credential | None) -> Target:
    """Return the target for the first of the nodes. The others are in the same cluster.

    If one of them listens on the same port, it may answer instead, so ``pid`` is None.
    """
    node = nodes[0]
    services = operators.services_of(node)
    if not services:
        raise Failure(
            f"The node {node.name} has no WAMP service that can be reached from here, or runs under another ASGI"
            " server and does not know its address: use --url with --operator",
            UNREACHABLE,
        )
    realms = list(dict.fromkeys(realm for service in services for realm in service.realms))
    realm = _realm_if_given(options) or (realms[0] if len(realms) == 1 else None)
    if realm is None:
        raise Failure(f"--realm is missing. The node's realms are: {', '.join(sorted(realms)) or 'none'}", USAGE)
    service = next((one for one in services if realm in one.realms), services[0])
    credential = given or credential_given(options)
    if credential is not None and options["role"]:
        raise Failure("--role cannot be used with a credential, which determines the role", USAGE)
    return Target(
        service.url,
        realm,
        credential or _operator(options, nodes),
        _connect_options(options, service),
        None if any(service in operators.services_of(other) for other in nodes[1:]) else node.pid,
    )


def _own_nodes(options: Mapping[str, Any], *, is_needed: bool) -> list[RunningNode]:
    """Return this project's node on this host.

    If several nodes are running and form a cluster, return all of them, the best one first. Any of them can answer for
    the whole cluster.

    If no node is running, or if the database cannot be read, return an empty list, or raise Failure if ``is_needed`` or
    if the options name a node. Also raises Failure if several nodes are running, the options name none of them, and
    they do not form a cluster.
    """
    is_needed = is_needed or options["node"] is not None
    try:
        here = operators.running_here()
        elsewhere = operators.running_elsewhere()
    except DatabaseError as fault:
        if not is_needed:
            return []
        text = f"The running nodes cannot be read from the database ({fault})"
        advice = "use --url" if isinstance(fault, NoDatabase) else "run 'manage.py migrate', or use --url"
        raise Failure(f"{text}: {advice}", UNREACHABLE) from None
    if options["node"] is not None:
        here = [node for node in here if node.name == options["node"]]
    if len(here) > 1 and not form_one_router(here):
        names = ", ".join(node.name for node in here)
        raise Failure(
            f"Several nodes of this project are running on this machine; choose one with --node: {names}", USAGE
        )
    if not here and is_needed:
        raise Failure(_nothing_runs(options["node"], [node.host for node in elsewhere]), UNREACHABLE)
    return sorted(here, key=lambda node: (not operators.services_of(node), not is_connected(node)))


def _nothing_runs(name: str | None, hosts: list[str]) -> str:
    which = f"called {name} " if name else ""
    text = f"No node {which}of this project is running on this machine: start one with 'manage.py runserver' or"
    text += " 'manage.py runnode', or use --url."
    if hosts and not name:
        text += f" (There are nodes on {', '.join(sorted(set(hosts)))}.)"
    if not app_settings().local_operators:
        text += " (WAMP_TRANSPORT['LOCAL_OPERATORS'] is False, so nodes do not publish their addresses.)"
    return text


def _operator(options: Mapping[str, Any], nodes: Sequence[RunningNode] | None = None) -> Operator:
    """Return the operator credential for logging in to ``nodes`` or, if this is None, to all nodes on this host."""
    try:
        keys = operators.operator_keys(operators.running_here() if nodes is None else nodes)
    except DatabaseError as fault:
        raise Failure(f"The running nodes cannot be read from the database: {fault}", UNREACHABLE) from None
    return Operator(options["authid"] or f"operator:{_login()}", keys, options["role"] or TRUSTED)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # the user may be unknown inside a container
        return str(getattr(os, "getuid", lambda: "?")())


def _realm(options: Mapping[str, Any]) -> str:
    realm = _realm_if_given(options)
    if realm is None:
        raise Failure("--realm is missing", USAGE)
    return realm


def _realm_if_given(options: Mapping[str, Any]) -> str | None:
    return options["realm"] or os.environ.get("WAMP_REALM") or app_settings().api.realm


def _connect_options(options: Mapping[str, Any], service: WampService | None = None) -> ConnectOptions:
    serializers = OFFERED_SERIALIZERS if options["serializer"] is None else (options["serializer"],)
    if service is None:
        return ConnectOptions(serializers, _tls(options["ca"]), open_seconds=OPEN_SECONDS)
    # The certificate is for the public host name, not for this host. The operator login proves that this is our node.
    tls = _tls(options["ca"]) or ssl._create_unverified_context()  # noqa: S323 - see above
    return ConnectOptions(serializers, tls, service.socket, service.origin, OPEN_SECONDS, uses_proxy=False)


def _tls(ca: str | None) -> ssl.SSLContext | None:
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as fault:
        raise Failure(f"{ca} cannot be used: {getattr(fault, 'strerror', None) or fault}", USAGE) from None
