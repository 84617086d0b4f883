"""Logins that a procedure decides on: what it is asked, and what its answers do"""

from collections.abc import Callable
from typing import Any

from .autobahn import words
from .login_services import PRIVATE, PROCEDURE, PUBLIC_KEY, REALM, SALTING, SCRAM_KEYS, STRANGER
from .logins import CRA, CRYPTOSIGN, DENIED, METHODS, NO_ROLE, NO_SUCH_ROLE, SCRAM, TICKET, URI
from .scenario import ADVANCED, scenario
from .stage import LONGEST_LOGIN, Peer, Stage

FREE = "Not specified: authenticators are Crossbar's."
URIS = f'{ADVANCED}, "Advanced Profile URIs"'
FAILED = "ABORT wamp.error.authentication_failed"
FAILS = "A technical failure, as an authenticator that is not there, ends with wamp.error.authentication_failed."

Answer = Callable[[Peer, list[Any]], None]


def returns(result: Any) -> Answer:
    """The authenticator returns this."""
    return lambda peer, invocation: peer.send(70, invocation[1], {}, [result])


def raises(uri: str, *args: Any) -> Answer:
    """The authenticator answers with an error."""
    return lambda peer, invocation: peer.send(8, 68, invocation[1], {}, uri, list(args))


def asked(stage: Stage, answer: Answer, path: str, method: str, **login: Any) -> tuple[str, list[Any]]:
    """How a login ended that an authenticator was asked about, and what it was asked with."""
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
    """A scenario of a login that an authenticator decides on."""

    def steps(stage: Stage) -> str:
        return asked(stage, answer, path, method, **login)[0]

    scenario(name, section, demands, keeps=keeps, means=means)(steps)


def joins(authid: str = "joe") -> str:
    """Let in as a frontend."""
    return f"WELCOME {authid} as frontend in {REALM}, dynamic"


JOE = {"authid": "joe"}
decided("anonymous, dynamic: a role", METHODS, "anonymous", returns({"role": "frontend", "authid": "joe"}), joins())
decided("ticket, dynamic: a role as text", TICKET, "ticket", returns("frontend"), joins(), **JOE, secret="x")
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
    "ticket, dynamic: an authenticator in another realm, which assigns the realm",
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
    "ticket, dynamic: an error of its own",
    TICKET,
    "ticket",
    raises("com.example.invalid_ticket", "could not authenticate"),
    "ABORT com.example.invalid_ticket",
    **JOE,
    secret="x",
)
decided(
    "ticket, dynamic: an error of the program",
    URIS,
    "ticket",
    raises("wamp.error.runtime_error", "division by zero"),
    FAILED,
    FAILS,
    "An authenticator that fails, or that is not there, is told as that. Errors of its own URIs are passed on.",
    **JOE,
    secret="x",
)
decided(
    "ticket, dynamic: a role that is not there",
    TICKET,
    "ticket",
    returns({"role": "nowhere"}),
    NO_ROLE,
    NO_SUCH_ROLE,
    **JOE,
    secret="x",
)
WRONG = "What returns something else fails, for the client, with wamp.error.authentication_failed."
decided("ticket, dynamic: a number", URIS, "ticket", returns(7), FAILED, FAILS, WRONG, **JOE, secret="x")
decided("ticket, dynamic: null", URIS, "ticket", returns(None), FAILED, FAILS, WRONG, **JOE, secret="x")
decided(
    "ticket, dynamic: role trusted",
    TICKET,
    "ticket",
    returns({"role": "trusted"}),
    (),
    means="`trusted` is the router's own: an authenticator cannot give it to clients.",
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
    "wampcra, dynamic: nobody",
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
    means="The failure is one of the login; which procedure is missing stands in the log.",
)
def missing(stage: Stage) -> str:
    return stage.login("login-dynamic-missing", "ticket", authid="joe", secret="x")


@scenario(
    "What an authenticator is called with",
    METHODS,
    FREE,
    means="`authid`, `authrole` come with every method. Of the transport fewer things are told; documented "
    "authenticators read `session`, `authextra` and `ticket`, which are the same.",
)
def called_with(stage: Stage) -> str:
    _, invocation = asked(stage, returns("frontend"), "login-dynamic", "ticket", authid="joe", secret="x")
    realm, authid, details = invocation[4]
    inner = {key for key, value in details["transport"].items() if value is not None}
    return f"{realm}, {authid}, {', '.join(sorted(details))} | of transport: {', '.join(sorted(inner))}"
