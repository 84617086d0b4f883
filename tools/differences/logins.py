"""Logins with static principals: each method, with right and wrong credentials"""

from typing import Any

from wamp_transport.auth import cryptosign

from .login_services import LOST_KEY, PRIVATE, REALM, STRANGER
from .scenario import ADVANCED, scenario
from .stage import ROLES, Stage, told

METHODS = f'{ADVANCED}, "Authentication Methods"'
TICKET = f'{ADVANCED}, "Ticket-based Authentication"'
CRA = f'{ADVANCED}, "Challenge Response Authentication"'
SCRAM = f'{ADVANCED}, "Salted Challenge Response Authentication"'
CRYPTOSIGN = f'{ADVANCED}, "Cryptosign-based Authentication"'
URIS = f'{ADVANCED}, "Advanced Profile URIs"'

DENIED = "ABORT wamp.error.authentication_denied"
NO_REALM = "ABORT wamp.error.no_such_realm"
NO_ROLE = "ABORT wamp.error.no_such_role"
JOINS = "The client joins as the principal, with the principal's role."
DENIES = "A denied login, for example with a wrong secret, ends with wamp.error.authentication_denied."
URI = "Check for the specification's URI. Crossbar's URI does not distinguish denied logins from denied actions."
NOWHERE = "nowhere.at.all"


def tried(
    name: str,
    section: str,
    path: str,
    method: str,
    keeps: str | tuple[str, ...],
    demands: str = "",
    means: str = "",
    **login: Any,
) -> None:
    """Add a scenario of one login with Autobahn."""

    def steps(stage: Stage) -> str:
        return stage.login(path, method, **login)

    demands = demands or (JOINS if "WELCOME" in str(keeps) else DENIES)
    scenario(name, section, demands, keeps=keeps, means=means or (URI if keeps == DENIED else ""))(steps)


def method(title: str, section: str, path: str, name: str, authid: str, secret: str, wrong: str) -> None:
    """Add the scenarios that every method with a challenge has."""
    welcome = f"WELCOME {authid} as frontend in {REALM}, static"
    tried(f"{title}: right", section, path, name, welcome, authid=authid, secret=secret)
    tried(f"{title}: wrong", section, path, name, DENIED, authid=authid, secret=wrong)
    tried(f"{title}: an unknown authid", section, path, name, DENIED, authid="nobody", secret=wrong)


NO_SUCH_REALM = "A login to a realm that does not exist ends with wamp.error.no_such_realm."
NO_SUCH_ROLE = "A login with a role that does not exist ends with wamp.error.no_such_role."


def elsewhere(title: str, section: str, path: str, name: str, authid: str, secret: str) -> None:
    """Add a scenario of a login to a realm that does not exist."""
    where = {"realm": NOWHERE, "authid": authid, "secret": secret}
    tried(f"{title}: an unknown realm", section, path, name, NO_REALM, NO_SUCH_REALM, **where)


def lost(title: str, section: str, path: str, name: str, secret: str) -> None:
    """Add a scenario of a login as a principal whose role does not exist in the realm."""
    who = {"authid": "lost", "secret": secret}
    tried(f"{title}: an unknown role", section, path, name, NO_ROLE, NO_SUCH_ROLE, **who)


tried(
    "anonymous: joins", METHODS, "login-anonymous", "anonymous", f"WELCOME a random authid as public in {REALM}, static"
)
tried(
    "anonymous: a configured authid",
    METHODS,
    "login-anonymous-authid",
    "anonymous",
    f"WELCOME visitor as public in {REALM}, static",
)
tried(
    "anonymous: an authid chosen by the client",
    METHODS,
    "login-anonymous",
    "anonymous",
    f"WELCOME a random authid as public in {REALM}, static",
    "Not specified; an authid without proof should not be accepted.",
    authid="root",
)
elsewhere("anonymous", METHODS, "login-anonymous", "anonymous", "", "")
tried(
    "anonymous: an unknown role",
    METHODS,
    "login-anonymous-lost",
    "anonymous",
    NO_ROLE,
    NO_SUCH_ROLE,
    "A missing role is reported at login instead of in an error for every request.",
)

method("ticket", TICKET, "login-ticket", "ticket", "joe", "secret!!!", "secret")
method(
    "ticket from an environment variable",
    TICKET,
    "login-ticket",
    "ticket",
    "jill",
    "a ticket of the environment",
    "${LOGIN_TICKET}",
)
elsewhere("ticket", TICKET, "login-ticket", "ticket", "joe", "secret!!!")
lost("ticket", TICKET, "login-ticket", "ticket", "secret!!!")

method("wampcra", CRA, "login-wampcra", "wampcra", "joe", "secret2", "secret")
method("wampcra, salted", CRA, "login-wampcra", "wampcra", "peter", "secret1", "secret")
tried(
    "wampcra, salted, the derived key as `secret`",
    CRA,
    "login-wampcra",
    "wampcra",
    (),
    "Crossbar's documentation shows this configuration, but its code derives the key again.",
    "Configure a derived key as `derived_key`. Then the client can log in with the password.",
    authid="derived",
    secret="secret1",
)
elsewhere("wampcra", CRA, "login-wampcra", "wampcra", "joe", "secret2")
lost("wampcra", CRA, "login-wampcra", "wampcra", "secret2")

method("scram", SCRAM, "login-scram", "scram", "joe", "pencil", "pen")
elsewhere("scram", SCRAM, "login-scram", "scram", "joe", "pencil")
lost("scram", SCRAM, "login-scram", "scram", "pencil")

CLIENT = "client01@example.com"
SIGNER = f"WELCOME {CLIENT} as frontend in {REALM}, static"
method("cryptosign", CRYPTOSIGN, "login-cryptosign", "cryptosign", CLIENT, PRIVATE.hex(), STRANGER.hex())
tried(
    "cryptosign: no authid, and a key that belongs to one principal",
    CRYPTOSIGN,
    "login-cryptosign",
    "cryptosign",
    SIGNER,
    authid=None,
    secret=PRIVATE.hex(),
)
tried(
    "cryptosign: a principal with a configured realm, and a client that asks for another",
    CRYPTOSIGN,
    "login-cryptosign",
    "cryptosign",
    SIGNER,
    "The router chooses a realm by the client's key. Whether the configured or the requested realm is "
    "used is not specified.",
    realm=NOWHERE,
    authid=CLIENT,
    secret=PRIVATE.hex(),
)
lost("cryptosign", CRYPTOSIGN, "login-cryptosign", "cryptosign", LOST_KEY.hex())
tried(
    "cryptosign bound to a TLS 1.2 channel by tls-unique",
    CRYPTOSIGN,
    "login-bound",
    "cryptosign",
    SIGNER,
    means="Clients with TLS 1.2 can connect; Crossbar 26.10 supports only TLS 1.3.",
    authid=CLIENT,
    secret=PRIVATE.hex(),
    channel_binding="tls-unique",
    tls="1.2",
    client="stranger",
)
tried(
    "cryptosign bound to a TLS 1.3 channel: wrong",
    CRYPTOSIGN,
    "login-bound",
    "cryptosign",
    DENIED,
    authid=CLIENT,
    secret=STRANGER.hex(),
    channel_binding="tls-unique",
    tls="1.3",
    client="stranger",
)
tried(
    "cryptosign bound to a TLS 1.3 channel by tls-unique",
    CRYPTOSIGN,
    "login-bound",
    "cryptosign",
    SIGNER,
    authid=CLIENT,
    secret=PRIVATE.hex(),
    channel_binding="tls-unique",
    tls="1.3",
    client="stranger",
)


@scenario(
    "cryptosign: channel binding without TLS",
    CRYPTOSIGN,
    "The router may continue without channel binding; the client must then detect it.",
    keeps=(DENIED, "CHALLENGE"),
    means=URI,
)
def unbound(stage: Stage) -> str:
    heard = _hello(stage, "cryptosign", pubkey=cryptosign.public_key_of(PRIVATE), channel_binding="tls-unique")
    return heard[0].partition(";")[0]


@scenario(
    "cryptosign: the router's signature for a client's challenge",
    f'{CRYPTOSIGN}, "Router Authentication"',
    "CHALLENGE contains the router's public key and its signature of the challenge that the client has sent.",
    keeps="a signature by the announced key",
)
def proof(stage: Stage) -> str:
    asked = b"\x07" * 32
    _, challenge = _hello(stage, "cryptosign", pubkey=cryptosign.public_key_of(PRIVATE), challenge=asked.hex())
    extra = challenge[2]
    if not {"pubkey", "signature"} <= extra.keys():
        return "none"
    is_right = cryptosign.is_answer(extra["pubkey"], asked, extra["signature"])
    return "a signature by the announced key" if is_right else "a wrong signature"


@scenario(
    "cryptosign: no public key in authextra",
    CRYPTOSIGN,
    "The public key is required; the reaction to a missing key is not specified.",
    means="The message of ABORT names what is missing.",
)
def keyless(stage: Stage) -> str:
    return _hello(stage, "cryptosign", authid=CLIENT)[0].partition(";")[0]


def _hello(stage: Stage, method: str, *, authid: str | None = None, **extra: Any) -> tuple[str, Any]:
    """Send HELLO. Return a description of the answer, and the answer itself."""
    peer = stage.connect(f"/login-{method}")
    who = {} if authid is None else {"authid": authid}
    peer.send(1, REALM, {"roles": ROLES, "authmethods": [method], "authextra": extra, **who})
    heard = peer.read()
    return told(heard), heard


# --- certificates ----------------------------------------------------------------------------------------------------

TLS = "Logins with TLS client certificates are not specified."
tried(
    "tls: a configured certificate",
    METHODS,
    "login-tls",
    "tls",
    f"WELCOME client_0 as backend in {REALM}, static",
    TLS,
    tls="1.3",
    client="client_0",
)
tried(
    "tls: an unknown certificate",
    METHODS,
    "login-tls",
    "tls",
    DENIED,
    tls="1.3",
    client="stranger",
)
tried(
    "tls: no certificate",
    METHODS,
    "login-tls",
    "tls",
    (),
    TLS,
    "The connections of clients without a certificate are refused. With `require_client_certificate: false` of the "
    "endpoint they can connect, but not log in with this method.",
    tls="1.3",
)
tried("tls: an unknown role", METHODS, "login-tls", "tls", NO_ROLE, NO_SUCH_ROLE, tls="1.3", client="lost")
tried(
    "tls: an unknown realm",
    METHODS,
    "login-tls",
    "tls",
    NO_REALM,
    NO_SUCH_REALM,
    tls="1.3",
    client="client_0",
    realm=NOWHERE,
)


# --- cookies ---------------------------------------------------------------------------------------------------------

COOKIE = "Logins with cookies are not specified."


def visit(stage: Stage, cookie: str | None, *methods: str, answer: str | None = None) -> tuple[str, str]:
    """Connect with a cookie and these methods. Return a description of the answer, and the cookie afterwards."""
    peer = stage.connect("/login-cookie", headers=[] if cookie is None else [f"Cookie: {cookie}"])
    if cookie is None:
        lines = [line for line in peer.head.split("\r\n") if line.lower().startswith("set-cookie:")]
        cookie = lines[0].partition(":")[2].strip().partition(";")[0] if lines else ""
    peer.send(1, REALM, {"roles": ROLES, "authmethods": methods, "authid": "joe"})
    heard = peer.read()
    if answer is not None and heard[0] == 4:
        peer.send(5, answer, {})
        heard = peer.read()
    if isinstance(heard, list) and heard[0] == 2:
        details = heard[2]
        seen = (
            f"WELCOME {details['authid']} as {details['authrole']}, {details['authmethod']}, {details['authprovider']}"
        )
        return seen, cookie
    return told(heard), cookie


@scenario(
    "cookie: a client that has logged in before",
    METHODS,
    COOKIE,
    means="WELCOME names the method that was used, `cookie`, and not the method of the first login.",
)
def cookie_again(stage: Stage) -> str:
    first, cookie = visit(stage, None, "ticket", answer="secret!!!")
    return f"{first} | {visit(stage, cookie, 'cookie', 'ticket')[0]}"


@scenario(
    "cookie: a client that has not logged in before", METHODS, f"{COOKIE} The next method is tried.", keeps="CHALLENGE"
)
def cookie_first(stage: Stage) -> str:
    return visit(stage, None, "cookie", "ticket")[0]


@scenario(
    "cookie: the client offers no other method",
    URIS,
    "If no method matches: wamp.error.no_matching_auth_method.",
    keeps="ABORT wamp.error.no_matching_auth_method",
    means="Check for the specification's URI.",
)
def cookie_alone(stage: Stage) -> str:
    return visit(stage, None, "cookie")[0]


@scenario("cookie: a value invented by the client", METHODS, f"{COOKIE} The next method is tried.", keeps="CHALLENGE")
def cookie_made_up(stage: Stage) -> str:
    return visit(stage, "cbtid=AAAAAAAAAAAAAAAAAAAAAAAA", "cookie", "ticket")[0]


@scenario(
    "cookie: after a failed login",
    METHODS,
    f"{COOKIE} A failed login is not remembered.",
    keeps="ABORT wamp.error.authentication_denied | CHALLENGE",
    means=URI,
)
def cookie_of_failure(stage: Stage) -> str:
    first, cookie = visit(stage, None, "ticket", answer="wrong")
    return f"{first} | {visit(stage, cookie, 'cookie', 'ticket')[0]}"
