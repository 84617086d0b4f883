"""Logins as the configuration has them: each method, right and wrong"""

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
JOINS = "It joins as the principal, under its role."
DENIES = "A login that is denied, as for a wrong secret, ends with wamp.error.authentication_denied."
URI = "The URI to look for is the specification's. Crossbar's tells denied logins and denied actions alike."
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
    """A scenario of one login by Autobahn."""

    def steps(stage: Stage) -> str:
        return stage.login(path, method, **login)

    demands = demands or (JOINS if "WELCOME" in str(keeps) else DENIES)
    scenario(name, section, demands, keeps=keeps, means=means or (URI if keeps == DENIED else ""))(steps)


def method(title: str, section: str, path: str, name: str, authid: str, secret: str, wrong: str) -> None:
    """The scenarios that every method with a challenge has."""
    welcome = f"WELCOME {authid} as frontend in {REALM}, static"
    tried(f"{title}: right", section, path, name, welcome, authid=authid, secret=secret)
    tried(f"{title}: wrong", section, path, name, DENIED, authid=authid, secret=wrong)
    tried(f"{title}: an authid that nobody has", section, path, name, DENIED, authid="nobody", secret=wrong)


NO_SUCH_REALM = "A login at a realm that does not exist ends with wamp.error.no_such_realm."
NO_SUCH_ROLE = "A login under a role that does not exist ends with wamp.error.no_such_role."


def elsewhere(title: str, section: str, path: str, name: str, authid: str, secret: str) -> None:
    """The scenario of a realm that does not exist."""
    where = {"realm": NOWHERE, "authid": authid, "secret": secret}
    tried(f"{title}: a realm that is not there", section, path, name, NO_REALM, NO_SUCH_REALM, **where)


def lost(title: str, section: str, path: str, name: str, secret: str) -> None:
    """The scenario of a principal whose role the realm does not have."""
    who = {"authid": "lost", "secret": secret}
    tried(f"{title}: a role that is not there", section, path, name, NO_ROLE, NO_SUCH_ROLE, **who)


tried(
    "anonymous: joins", METHODS, "login-anonymous", "anonymous", f"WELCOME a random authid as public in {REALM}, static"
)
tried(
    "anonymous: an authid in the configuration",
    METHODS,
    "login-anonymous-authid",
    "anonymous",
    f"WELCOME visitor as public in {REALM}, static",
)
tried(
    "anonymous: an authid of the client's own",
    METHODS,
    "login-anonymous",
    "anonymous",
    f"WELCOME a random authid as public in {REALM}, static",
    "Not specified; what nobody has proved should not count.",
    authid="root",
)
elsewhere("anonymous", METHODS, "login-anonymous", "anonymous", "", "")
tried(
    "anonymous: a role that is not there",
    METHODS,
    "login-anonymous-lost",
    "anonymous",
    NO_ROLE,
    NO_SUCH_ROLE,
    "A missing role shows at login, not as an error of every request.",
)

method("ticket", TICKET, "login-ticket", "ticket", "joe", "secret!!!", "secret")
method(
    "ticket of the environment",
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
    "Crossbar's documentation shows this configuration; its code derives once more.",
    "A key that is derived is given as `derived_key` here; then the password logs in.",
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
    "cryptosign: no authid, a key that one principal has",
    CRYPTOSIGN,
    "login-cryptosign",
    "cryptosign",
    SIGNER,
    authid=None,
    secret=PRIVATE.hex(),
)
tried(
    "cryptosign: a principal with a realm of its own, another asked for",
    CRYPTOSIGN,
    "login-cryptosign",
    "cryptosign",
    SIGNER,
    "The router admits the client to a realm by its key; whose word counts is not said.",
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
    means="Clients of TLS 1.2 are served; Crossbar 26.10 speaks TLS 1.3 alone.",
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
    "cryptosign: a binding to a channel that has no TLS",
    CRYPTOSIGN,
    "The router may go on without; a client must then notice.",
    keeps=(DENIED, "CHALLENGE"),
    means=URI,
)
def unbound(stage: Stage) -> str:
    heard = _hello(stage, "cryptosign", pubkey=cryptosign.public_key_of(PRIVATE), channel_binding="tls-unique")
    return heard[0].partition(";")[0]


@scenario(
    "cryptosign: the router's signature for a client's challenge",
    f'{CRYPTOSIGN}, "Router Authentication"',
    "CHALLENGE holds the router's public key, and its signature of the challenge that the client has sent.",
    keeps="a signature by the key that is told",
)
def proof(stage: Stage) -> str:
    asked = b"\x07" * 32
    _, challenge = _hello(stage, "cryptosign", pubkey=cryptosign.public_key_of(PRIVATE), challenge=asked.hex())
    extra = challenge[2]
    if not {"pubkey", "signature"} <= extra.keys():
        return "none"
    is_right = cryptosign.is_answer(extra["pubkey"], asked, extra["signature"])
    return "a signature by the key that is told" if is_right else "a wrong signature"


@scenario(
    "cryptosign: no public key in authextra",
    CRYPTOSIGN,
    "It is required; what comes of its absence is not said.",
    means="The message of ABORT says what is missing.",
)
def keyless(stage: Stage) -> str:
    return _hello(stage, "cryptosign", authid=CLIENT)[0].partition(";")[0]


def _hello(stage: Stage, method: str, *, authid: str | None = None, **extra: Any) -> tuple[str, Any]:
    """The answer to HELLO, in words and as it came."""
    peer = stage.connect(f"/login-{method}")
    who = {} if authid is None else {"authid": authid}
    peer.send(1, REALM, {"roles": ROLES, "authmethods": [method], "authextra": extra, **who})
    heard = peer.read()
    return told(heard), heard


# --- certificates ----------------------------------------------------------------------------------------------------

TLS = "Not specified: a login by TLS client certificate."
tried(
    "tls: a certificate that is known",
    METHODS,
    "login-tls",
    "tls",
    f"WELCOME client_0 as backend in {REALM}, static",
    TLS,
    tls="1.3",
    client="client_0",
)
tried(
    "tls: a certificate that is not known",
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
    "Clients without a certificate connect, and cannot log in by it; `require_client_certificate: true` of the "
    "endpoint refuses their connections.",
    tls="1.3",
)
tried("tls: a role that is not there", METHODS, "login-tls", "tls", NO_ROLE, NO_SUCH_ROLE, tls="1.3", client="lost")
tried(
    "tls: a realm that is not there",
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

COOKIE = "Not specified: a login by a cookie."


def visit(stage: Stage, cookie: str | None, *methods: str, answer: str | None = None) -> tuple[str, str]:
    """A connection with a cookie that offers these methods; what it hears, and the cookie that it has."""
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
    "cookie: who has logged in before",
    METHODS,
    COOKIE,
    means="WELCOME names the method that was used, `cookie`, not the one of the first login.",
)
def cookie_again(stage: Stage) -> str:
    first, cookie = visit(stage, None, "ticket", answer="secret!!!")
    return f"{first} | {visit(stage, cookie, 'cookie', 'ticket')[0]}"


@scenario("cookie: who has not logged in before", METHODS, f"{COOKIE} The next method is tried.", keeps="CHALLENGE")
def cookie_first(stage: Stage) -> str:
    return visit(stage, None, "cookie", "ticket")[0]


@scenario(
    "cookie: nothing else is offered",
    URIS,
    "Where no method fits: wamp.error.no_matching_auth_method.",
    keeps="ABORT wamp.error.no_matching_auth_method",
    means="The URI to look for is the specification's.",
)
def cookie_alone(stage: Stage) -> str:
    return visit(stage, None, "cookie")[0]


@scenario("cookie: a value made up by the client", METHODS, f"{COOKIE} The next method is tried.", keeps="CHALLENGE")
def cookie_made_up(stage: Stage) -> str:
    return visit(stage, "cbtid=AAAAAAAAAAAAAAAAAAAAAAAA", "cookie", "ticket")[0]


@scenario(
    "cookie: after a login that failed",
    METHODS,
    f"{COOKIE} A failed login is not remembered.",
    keeps="ABORT wamp.error.authentication_denied | CHALLENGE",
    means=URI,
)
def cookie_of_failure(stage: Stage) -> str:
    first, cookie = visit(stage, None, "ticket", answer="wrong")
    return f"{first} | {visit(stage, cookie, 'cookie', 'ticket')[0]}"
