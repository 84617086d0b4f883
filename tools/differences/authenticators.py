"""Logins with dynamic authenticators: arguments and results"""

from collections.abc import Callable
from typing import Any

from .autobahn import words
from .login_services import PRIVATE, PROCEDURE, PUBLIC_KEY, REALM, SALTING, SCRAM_KEYS, STRANGER
from .logins import CRA, CRYPTOSIGN, DENIED, METHODS, NO_ROLE, NO_SUCH_ROLE, SCRAM, TICKET, URI
from .scenario import ADVANCED, scenario
from .stage import LONGEST_LOGIN, Peer, Stage

FREE = "Not specified: dynamic authenticators are a feature of Crossbar."
URIS = f'{ADVANCED}, "Advanced Profile URIs"'
FAILED = "ABORT wamp.error.authentication_failed"
FAILS = "A technical failure, for example a missing authenticator, ends with wamp.error.authentication_failed."

Answer = Callable[[Peer, list[Any]], None]


def returns(result: Any) -> Answer:
    """Let the authenticator return ``result``."""
    return lambda peer, invocation: peer.send(70, invocation[1], {}, [result])


def raises(uri: str, *args: Any) -> Answer:
    """Let the authenticator answer with an error."""
    return lambda peer, invocation: peer.send(8, 68, invocation[1], {}, uri, list(args))


def asked(stage: Stage, answer: Answer, path: str, method: str, **login: Any) -> tuple[str, list[Any]]:
    """Log in with an authenticator. Return how the login ended and the arguments of the authenticator."""
    authenticator = stage.join("/login-authenticator", realm=REALM)
    authenticator.register(PROCEDURE)
    outcome = stage.start_login(path, method, **login)
    invocation = authenticator.invocation()
    answer(authenticator, invocation)
    return words(outcome.result(LONGEST_LOGIN)), invocation


def decided(
    name: str,
    section: str,
    method: str,
    answer: Answer,
    keeps: str | tuple[str, ...],
    demands: str = FREE,
    means: str = "",
    path: str = "login-dynamic",
    **login: Any,
) -> None:
    """Add a scenario of a login that an authenticator decides on."""

    def steps(stage: Stage) -> str:
        return asked(stage, answer, path, method, **login)[0]

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


def joins(authid: str = "joe") -> str:
    """Return the observation of a client that joins as a frontend."""
    return f"WELCOME {authid} as frontend in {REALM}, dynamic"


JOE = {"authid": "joe"}
decided("anonymous, dynamic: a role", METHODS, "anonymous", returns({"role": "frontend", "authid": "joe"}), joins())
decided("ticket, dynamic: a role as a string", TICKET, "ticket", returns("frontend"), joins(), **JOE, secret="x")
decided("ticket, dynamic: an object", TICKET, "ticket", returns({"role": "frontend"}), joins(), **JOE, secret="x")
decided(
    "ticket, dynamic: another authid",
    TICKET,
    "ticket",
    returns({"role": "frontend", "authid": "other", "realm": REALM}),
    joins("other"),
    **JOE,
    secret="x",
)
decided(
    "ticket, dynamic: an authenticator in another realm that assigns the realm",
    TICKET,
    "ticket",
    returns({"role": "frontend", "realm": REALM}),
    joins(),
    path="login-dynamic-elsewhere",
    realm="realm1",
    **JOE,
    secret="x",
)
decided(
    "ticket, dynamic: an error with its own URI",
    TICKET,
    "ticket",
    raises("com.example.invalid_ticket", "could not authenticate"),
    "ABORT com.example.invalid_ticket",
    **JOE,
    secret="x",
)
decided(
    "ticket, dynamic: an exception in the authenticator",
    URIS,
    "ticket",
    raises("wamp.error.runtime_error", "division by zero"),
    FAILED,
    FAILS,
    "An authenticator that fails or does not exist is reported as a technical failure. Errors with the "
    "authenticator's own URIs are passed on.",
    **JOE,
    secret="x",
)
decided(
    "ticket, dynamic: an unknown role",
    TICKET,
    "ticket",
    returns({"role": "nowhere"}),
    NO_ROLE,
    NO_SUCH_ROLE,
    **JOE,
    secret="x",
)
WRONG = "If an authenticator returns anything else, the login ends with wamp.error.authentication_failed."
decided("ticket, dynamic: a number", URIS, "ticket", returns(7), FAILED, FAILS, WRONG, **JOE, secret="x")
decided("ticket, dynamic: null", URIS, "ticket", returns(None), FAILED, FAILS, WRONG, **JOE, secret="x")
decided(
    "ticket, dynamic: role trusted",
    TICKET,
    "ticket",
    returns({"role": "trusted"}),
    (),
    means="`trusted` is the router's own role: an authenticator cannot assign it to clients.",
    **JOE,
    secret="x",
)

CRA_PRINCIPAL = {"role": "frontend", "secret": "secret1"}
decided("wampcra, dynamic: right", CRA, "wampcra", returns(CRA_PRINCIPAL), joins(), **JOE, secret="secret1")
decided("wampcra, dynamic: wrong", CRA, "wampcra", returns(CRA_PRINCIPAL), DENIED, means=URI, **JOE, secret="secret")
decided(
    "wampcra, dynamic: salted",
    CRA,
    "wampcra",
    returns({**CRA_PRINCIPAL, **SALTING}),
    joins(),
    **JOE,
    secret="secret1",
)
decided(
    "wampcra, dynamic: an unknown authid",
    CRA,
    "wampcra",
    raises("com.example.no_such_user", "no such user"),
    "ABORT com.example.no_such_user",
    **JOE,
    secret="secret1",
)
SCRAM_PRINCIPAL = {"role": "frontend", **SCRAM_KEYS}
decided("scram, dynamic: right", SCRAM, "scram", returns(SCRAM_PRINCIPAL), joins(), **JOE, secret="pencil")
decided("scram, dynamic: wrong", SCRAM, "scram", returns(SCRAM_PRINCIPAL), DENIED, means=URI, **JOE, secret="pen")

KEYED = {"pubkey": PUBLIC_KEY, "role": "frontend", "authid": "client01", "realm": REALM}
decided(
    "cryptosign, dynamic: right",
    CRYPTOSIGN,
    "cryptosign",
    returns(KEYED),
    joins("client01"),
    authid=None,
    secret=PRIVATE.hex(),
)
decided(
    "cryptosign, dynamic: wrong",
    CRYPTOSIGN,
    "cryptosign",
    returns(KEYED),
    DENIED,
    means=URI,
    authid=None,
    secret=STRANGER.hex(),
)
decided(
    "tls, dynamic: a role",
    METHODS,
    "tls",
    returns({"role": "backend", "authid": "pump"}),
    f"WELCOME pump as backend in {REALM}, dynamic",
    path="login-tls-dynamic",
    tls="1.3",
    client="stranger",
)


@scenario(
    "ticket, dynamic: no such authenticator",
    URIS,
    FAILS,
    keeps=FAILED,
    means="The error is about the login. The log names the missing procedure.",
)
def missing(stage: Stage) -> str:
    return stage.login("login-dynamic-missing", "ticket", authid="joe", secret="x")


@scenario(
    "The arguments of an authenticator",
    METHODS,
    FREE,
    means="`authid` and `authrole` are passed for every method. `transport` has fewer details. The "
    "authenticators in Crossbar's documentation use `session`, `authextra` and `ticket`, which are the "
    "same.",
)
def called_with(stage: Stage) -> str:
    _, invocation = asked(stage, returns("frontend"), "login-dynamic", "ticket", authid="joe", secret="x")
    realm, authid, details = invocation[4]
    inner = {key for key, value in details["transport"].items() if value is not None}
    return f"{realm}, {authid}, {', '.join(sorted(details))} | of transport: {', '.join(sorted(inner))}"
