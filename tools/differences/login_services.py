"""Services for logins, configured as in Crossbar's documentation, with our own values."""

import hashlib
import ssl
from pathlib import Path
from typing import Any

from tests.certificates import Authority
from wamp_transport.auth import cryptosign, scram, wampcra

ENVIRONMENT = {"LOGIN_TICKET": "a ticket of the environment"}
PRIVATE, STRANGER = bytes(range(32)), bytes(range(1, 33))
SALTING = {"salt": "salt123", "iterations": 100, "keylen": 16}
DERIVED = wampcra.derive_key("secret1", wampcra.Salting(**SALTING))
WAY = scram.Derivation("argon2id-13", b"\x02" * 16, 1, 64)
_KEYS = scram.keys_of(scram.salted_password("pencil", WAY))
SCRAM_KEYS = {
    "kdf": WAY.kdf,
    "iterations": WAY.iterations,
    "memory": WAY.memory,
    "salt": WAY.salt.hex(),
    "stored-key": _KEYS.stored_key.hex(),
    "server-key": _KEYS.server_key.hex(),
}
PUBLIC_KEY = cryptosign.public_key_of(PRIVATE)
LOST_KEY = bytes(range(2, 34))
PROCEDURE = "com.logins.authenticate"
MISSING = "com.logins.nobody"

REALM = "logins"
ROLES = ("public", "frontend", "backend", "authenticator")


def _service(**auth: Any) -> dict[str, Any]:
    return {"type": "websocket", "auth": auth}


def _static(**principals: Any) -> dict[str, Any]:
    return {"type": "static", "principals": principals}


def _dynamic(**more: Any) -> dict[str, Any]:
    return {"type": "dynamic", "authenticator": PROCEDURE, **more}


METHODS = ("anonymous", "ticket", "wampcra", "scram", "cryptosign")
TICKETS = _static(
    joe={"ticket": "secret!!!", "role": "frontend"},
    jill={"ticket": "${LOGIN_TICKET}", "role": "frontend"},
    lost={"ticket": "secret!!!", "role": "nowhere"},
)
PATHS = {
    "login-anonymous": _service(anonymous={"type": "static", "role": "public"}),
    "login-anonymous-authid": _service(anonymous={"type": "static", "role": "public", "authid": "visitor"}),
    "login-anonymous-lost": _service(anonymous={"type": "static", "role": "nowhere"}),
    "login-authenticator": _service(anonymous={"type": "static", "role": "authenticator"}),
    "login-cookie": {
        **_service(ticket=TICKETS, cookie={}),
        "cookie": {"store": {"type": "file", "filename": "cookies.dat"}},
    },
    "login-cryptosign": _service(
        cryptosign=_static(
            **{
                "client01@example.com": {"realm": REALM, "role": "frontend", "authorized_keys": [PUBLIC_KEY]},
                "lost": {
                    "realm": REALM,
                    "role": "nowhere",
                    "authorized_keys": [cryptosign.public_key_of(LOST_KEY)],
                },
            }
        )
    ),
    "login-dynamic": _service(**dict.fromkeys(METHODS, _dynamic())),
    "login-dynamic-elsewhere": _service(ticket=_dynamic(**{"authenticator-realm": REALM})),
    "login-dynamic-missing": _service(ticket={"type": "dynamic", "authenticator": MISSING}),
    "login-scram": _service(
        scram=_static(joe={**SCRAM_KEYS, "role": "frontend"}, lost={**SCRAM_KEYS, "role": "nowhere"})
    ),
    "login-ticket": _service(ticket=TICKETS),
    "login-wampcra": _service(
        wampcra={
            "type": "static",
            "users": {
                "joe": {"secret": "secret2", "role": "frontend"},
                "peter": {"secret": "secret1", "role": "frontend", **SALTING},
                "derived": {"secret": DERIVED, "role": "frontend", **SALTING},
                "lost": {"secret": "secret2", "role": "nowhere"},
            },
        }
    ),
}

CLIENTS = ("client_0", "lost", "stranger")


def certificates(directory: Path) -> None:
    """Write the certificates of an authority, the server and the clients to files with their names."""
    authority = Authority()
    authority.write(directory / "ca.pem")
    for name in ("server", *CLIENTS):
        authority.issue(name).write(directory, name)


def secure(port: int, directory: Path) -> dict[str, Any]:
    """Return a transport with TLS that requests client certificates. Some certificates are configured."""
    principals = {
        name: {"certificate-sha1": fingerprint(directory / f"{name}.pem"), "role": role}
        for name, role in (("client_0", "backend"), ("lost", "nowhere"))
    }
    tls = {"key": "../server.key", "certificate": "../server.pem", "ca_certificates": ["../ca.pem"]}
    return {
        "type": "web",
        "endpoint": {"type": "tcp", "interface": "127.0.0.1", "port": port, "tls": tls},
        "paths": {
            "/": {"type": "json", "value": {}},
            "login-bound": PATHS["login-cryptosign"],
            "login-tls": _service(tls=_static(**principals)),
            "login-tls-dynamic": _service(tls=_dynamic()),
        },
    }


def fingerprint(certificate: Path) -> str:
    """Return the SHA-1 fingerprint of a certificate, with colons."""
    return hashlib.sha1(ssl.PEM_cert_to_DER_cert(certificate.read_text())).digest().hex(":").upper()
