"""Which router a subcommand speaks to: the one at a URL, or the node of this project that runs on this machine."""

import getpass
import os
import ssl
from argparse import ArgumentParser
from collections.abc import Mapping
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
from wamp_transport.node.remote import OFFERED, ConnectOptions
from wamp_transport.router.options import TRUSTED
from wamp_transport.stores import operators
from wamp_transport.stores.operators import WampService

OPEN_SECONDS: Final = 10.0
"""How long a router may take to answer a handshake."""
JOIN_SECONDS: Final = 30.0
"""How long it may take by default until it has let a session join."""


@dataclass(frozen=True, slots=True)
class Target:
    """A router, a realm there, and as whom. ``pid`` is the process of an own node.

    ``join_seconds``: how long the router may take to let a session join.
    """

    url: str
    realm: str
    credential: Credential
    way: ConnectOptions
    pid: int | None = None
    join_seconds: float = JOIN_SECONDS


def add_target_arguments(parser: ArgumentParser) -> None:
    """``--url``, ``--realm`` and the like."""
    group = parser.add_argument_group(
        "which router",
        "Without --url and the variable WAMP_URL it is the node of this project that runs on this machine; where none"
        " does, the one at WAMP_TRANSPORT['API']['URL'] of the settings.",
    )
    group.add_argument("--url", help="a WAMP router, such as wss://example.com/ws")
    group.add_argument("--realm", help="the realm; not needed where the node of this project has one only")
    group.add_argument("--running", metavar="NODE", help="where several nodes of this project run here: which one")
    group.add_argument("--serializer", choices=["json", "msgpack", "cbor"], help="default: msgpack, else json")
    group.add_argument(
        "--join-timeout",
        type=float,
        default=JOIN_SECONDS,
        metavar="SECONDS",
        help="how long the router may take to let you join (%(default)g)",
    )
    group.add_argument("--ca", metavar="FILE", help="trust the authorities in this PEM file, for wss")
    add_credential_arguments(parser)


def target_of(options: Mapping[str, Any], given: Credential | None = None) -> Target:
    """What the arguments, the environment and the settings come to. Raises Failure.

    ``given``: the credential where it is known from before, as some can be read only once.
    """
    if not options["join_timeout"] > 0:
        raise Failure("--join-timeout must be more than 0", USAGE)
    return replace(_target_of(options, given), join_seconds=options["join_timeout"])


def _target_of(options: Mapping[str, Any], given: Credential | None) -> Target:
    url = options["url"] or os.environ.get("WAMP_URL")
    if url:
        return _at_url(url, options, given)
    settings = app_settings().api
    node = _own_node(options, is_needed=settings.url is None)
    if node is not None:
        return _at_node(node, options, given)
    return _at_settings(settings, options, given)


def _at_url(url: str, options: Mapping[str, Any], given: Credential | None) -> Target:
    if not url.startswith(("ws://", "wss://")):
        raise Failure(f"{url!r} is no URL of a WAMP router: it begins with ws:// or wss://", USAGE)
    credential = given or credential_given(options)
    if options["operator"]:
        credential = _operator(options)
    elif options["role"]:
        raise Failure("--role is for the node of this project; at others your credential decides", USAGE)
    credential = credential or credential_of_environment(options["authid"])
    return Target(url, _realm(options), credential, _way(options))


def _at_settings(settings: ApiSettings, options: Mapping[str, Any], given: Credential | None) -> Target:
    if options["role"]:
        raise Failure("--role is for the node of this project, and none runs on this machine", UNREACHABLE)
    credential = given or credential_given(options) or credential_of(settings)
    return Target(str(settings.url), _realm(options), credential, _way(options))


def _at_node(node: RunningNode, options: Mapping[str, Any], given: Credential | None) -> Target:
    services = operators.services_of(node)
    if not services:
        raise Failure(
            f"The node {node.name} has no WAMP service that can be reached from here, or runs under another ASGI"
            " server and does not know its address: give --url, with --operator",
            UNREACHABLE,
        )
    realms = list(dict.fromkeys(realm for service in services for realm in service.realms))
    realm = _realm_if_given(options) or (realms[0] if len(realms) == 1 else None)
    if realm is None:
        raise Failure(f"Which realm is meant? Say --realm; there are: {', '.join(sorted(realms)) or 'none'}", USAGE)
    service = next((one for one in services if realm in one.realms), services[0])
    credential = given or credential_given(options)
    if credential is not None and options["role"]:
        raise Failure("With a credential it decides on your role: leave --role out", USAGE)
    return Target(service.url, realm, credential or _operator(options, node), _way(options, service), node.pid)


def _own_node(options: Mapping[str, Any], *, is_needed: bool) -> RunningNode | None:
    """The node of this project that runs on this machine; None where there is none. Raises Failure."""
    try:
        here = operators.running_here()
        elsewhere = operators.running_elsewhere()
    except DatabaseError as fault:
        if not is_needed:
            return None
        text = f"The database does not say where the node of this project runs ({fault}): run 'manage.py migrate'"
        raise Failure(f"{text}, or give --url", UNREACHABLE) from None
    if options["running"] is not None:
        here = [node for node in here if node.name == options["running"]]
        is_needed = True
    if len(here) > 1:
        names = ", ".join(node.name for node in here)
        raise Failure(f"Several nodes of this project run here: say which one by --running: {names}", USAGE)
    if not here and is_needed:
        raise Failure(_nothing_runs(options["running"], [node.host for node in elsewhere]), UNREACHABLE)
    return here[0] if here else None


def _nothing_runs(name: str | None, hosts: list[str]) -> str:
    which = f"called {name} " if name else ""
    text = f"No node {which}of this project runs on this machine: start it with 'manage.py runserver' or"
    text += " 'manage.py runnode', or say by --url which router is meant"
    if hosts and not name:
        text += f". (Some run on {', '.join(sorted(set(hosts)))}.)"
    if not app_settings().local_operators:
        text += ". (WAMP_TRANSPORT['LOCAL_OPERATORS'] is off: nodes do not tell where they are.)"
    return text


def _operator(options: Mapping[str, Any], node: RunningNode | None = None) -> Operator:
    """Who runs this node, or some node on this machine."""
    try:
        keys = operators.operator_keys(operators.running_here() if node is None else [node])
    except DatabaseError as fault:
        raise Failure(f"The database does not say which nodes run: {fault}", UNREACHABLE) from None
    return Operator(options["authid"] or f"operator:{_login()}", keys, options["role"] or TRUSTED)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user in a container
        return str(getattr(os, "getuid", lambda: "?")())


def _realm(options: Mapping[str, Any]) -> str:
    realm = _realm_if_given(options)
    if realm is None:
        raise Failure("Which realm is meant? Say --realm", USAGE)
    return realm


def _realm_if_given(options: Mapping[str, Any]) -> str | None:
    return options["realm"] or os.environ.get("WAMP_REALM") or app_settings().api.realm


def _way(options: Mapping[str, Any], service: WampService | None = None) -> ConnectOptions:
    serializers = OFFERED if options["serializer"] is None else (options["serializer"],)
    if service is None:
        return ConnectOptions(serializers, _tls(options["ca"]), open_seconds=OPEN_SECONDS)
    # Certificates name public hosts, not this one; that it is the own node is proved by the login.
    tls = _tls(options["ca"]) or ssl._create_unverified_context()  # noqa: S323 - as said
    return ConnectOptions(serializers, tls, service.socket, service.origin, OPEN_SECONDS, uses_proxy=False)


def _tls(ca: str | None) -> ssl.SSLContext | None:
    if ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as fault:
        raise Failure(f"{ca} cannot be used: {getattr(fault, 'strerror', None) or fault}", USAGE) from None
