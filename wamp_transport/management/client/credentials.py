"""The credentials with which a subcommand logs in, read from a file, a prompt or the environment.

Credentials are never read from a command-line argument, which other users of the host could see.
"""

import os
import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from getpass import getpass
from pathlib import Path
from typing import Any, Final

from wamp_transport.auth.credentials import Anonymous, Credential, SharedSecret, SigningKey, Ticket
from wamp_transport.config.auth_methods import TICKET, TOKEN
from wamp_transport.management.client.failures import USAGE, Failure

KINDS: Final = {
    TICKET.name: "the ticket",
    "secret": "the secret of WAMP-CRA",
    TOKEN.name: "a signed token (made with 'manage.py wamp token')",
    "key": "the private key of cryptosign in hex (made with 'manage.py wamp keygen')",
}
"""The kinds of credentials, with their help texts."""


def add_credential_arguments(parser: ArgumentParser) -> None:
    """Add the login options: ``--authid``, ``--role``, and those that select the source of the credential."""
    group = parser.add_argument_group(
        "login",
        "No credential is needed for this project's node on this machine. For other routers, the login is anonymous"
        " unless you give a credential. The environment variables WAMP_AUTHID, WAMP_TICKET, WAMP_SECRET, WAMP_TOKEN and"
        " WAMP_KEY can be used instead of the options.",
    )
    group.add_argument("--authid", help="the authid to log in with")
    group.add_argument("--role", help="the role to use at this project's node (default: trusted)")
    proofs = group.add_mutually_exclusive_group()
    for kind, what in KINDS.items():
        proofs.add_argument(
            f"--{kind}-file", metavar="FILE", help=f"read {what} from the first line of FILE; - is stdin"
        )
    proofs.add_argument("--ask", choices=list(KINDS), help="ask for the credential on the terminal")
    proofs.add_argument(
        "--operator",
        action="store_true",
        help="with --url: log in as an operator; the URL must lead to this project's node",
    )


def credential_given(options: Mapping[str, Any]) -> Credential | None:
    """Read and return the credential that the options select; None if they select none.

    Raises Failure if the credential cannot be read or is invalid.
    """
    for kind in KINDS:
        if (name := options[f"{kind}_file"]) is not None:
            return make_credential(kind, options["authid"], _first_line(name))
    kind = options["ask"]
    if kind is not None:
        if not sys.stdin.isatty():
            raise Failure(f"There is no terminal to ask on: use --{kind}-file FILE", USAGE)
        return make_credential(kind, options["authid"], getpass(f"{kind.capitalize()}: "))
    return None


def credential_of_environment(authid: str | None) -> Credential:
    """Return the credential in environment variables, or an anonymous one if none is set.

    Raises Failure if more than one is set, or if the credential is invalid.
    """
    authid = authid or os.environ.get("WAMP_AUTHID") or None
    found = [kind for kind in KINDS if os.environ.get(f"WAMP_{kind.upper()}")]
    if len(found) > 1:
        names = " and ".join(f"WAMP_{kind.upper()}" for kind in found)
        raise Failure(f"{names} are both set: set only one of them", USAGE)
    for kind in found:
        return make_credential(kind, authid, os.environ[f"WAMP_{kind.upper()}"])
    return Anonymous(authid)


def make_credential(kind: str, authid: str | None, text: str) -> Credential:
    """Build a credential of the given kind from ``text``.

    Raises Failure if the kind needs an authid and none is given, or if a key is invalid.
    """
    return MAKERS[kind](authid, text)


def _ticket(authid: str | None, text: str) -> Credential:
    return Ticket(_named(authid, TICKET.name), text)


def _secret(authid: str | None, text: str) -> Credential:
    return SharedSecret(_named(authid, "secret"), text)


def _token(authid: str | None, text: str) -> Credential:
    return Ticket(authid, text, TOKEN.name)


def _key(authid: str | None, text: str) -> Credential:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text, re.ASCII):
        raise Failure("the key is not 64 hex digits, such as 'manage.py wamp keygen' writes", USAGE)
    return SigningKey(authid, bytes.fromhex(text))


MAKERS: Final[Mapping[str, Callable[[str | None, str], Credential]]] = {
    TICKET.name: _ticket,
    "secret": _secret,
    TOKEN.name: _token,
    "key": _key,
}


def _named(authid: str | None, kind: str) -> str:
    if not authid:
        raise Failure(f"--authid is missing: a {kind} needs one", USAGE)
    return authid


def _first_line(name: str) -> str:
    try:
        text = sys.stdin.readline() if name == "-" else Path(name).read_text("utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as fault:
        raise Failure(f"{name} cannot be read: {getattr(fault, 'strerror', None) or fault}", USAGE) from None
    if not text.strip():
        raise Failure(f"{name} is empty", USAGE)
    return text.strip()
