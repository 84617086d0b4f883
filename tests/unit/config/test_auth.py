import pytest

from wamp_transport.config import service_options
from wamp_transport.router.options import AnonymousLogin

PLACE = "workers[0].transports[0].paths.ws.auth"
SIGNED = {"type": "dynamic", "authenticator": "a.b"}
TICKETS = {"type": "static", "principals": {"joe": {"ticket": "hunter2", "role": "anonymous"}}}
KEY = "545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122"
SHA1 = "B6:E5:E6:F2:2A:86:DB:3C:DC:9F:51:42:58:39:9B:14:92:5D:A1:EB"


def options(node, read, **environ):
    outcome = read(node, **environ)
    assert outcome.configuration is not None, outcome.report
    return service_options(outcome.configuration.services[1])


@pytest.mark.parametrize("given", [None, {}])
def test_no_method_means_anonymous(node, service, read, given):
    service["auth"] = given
    assert options(node, read).anonymous == AnonymousLogin("anonymous", None)
    assert options(node, read).authmethods == frozenset()


def test_static_anonymous_gives_role_and_authid(node, worker, service, read):
    worker["realms"][0]["roles"].append({"name": "guest"})
    service["auth"] = {"anonymous": {"type": "static", "role": "guest", "authid": "joe"}}
    assert options(node, read).anonymous == AnonymousLogin("guest", "joe")


def test_static_anonymous_has_defaults(node, service, read):
    service["auth"] = {"anonymous": {"type": "static"}}
    assert options(node, read).anonymous == AnonymousLogin("anonymous", None)


def test_realm_of_anonymous_is_told_to_be_ignored(service, problems):
    service["auth"] = {"anonymous": {"type": "static", "realm": "realm2"}}
    faults, notices = problems(PLACE)
    assert (list(faults), list(notices)) == ([], ["anonymous.realm"])


CROSSBAR = {
    "anonymous": {"type": "dynamic", "authenticator": "com.example.authenticate"},
    "ticket": {"type": "static", "principals": {"joe": {"ticket": "secret!!!", "role": "anonymous"}}},
    "wampcra": {
        "type": "static",
        "users": {
            "joe": {"secret": "secret2", "role": "anonymous"},
            "peter": {"secret": "secret1", "role": "anonymous", "salt": "salt123", "iterations": 100, "keylen": 16},
        },
    },
    "scram": {
        "type": "static",
        "principals": {
            "carol": {
                "kdf": "argon2id-13", "iterations": 4096, "memory": 512, "salt": "00" * 16,
                "stored-key": "11" * 32, "server-key": "22" * 32, "role": "anonymous",
            }
        },
    },
    "cryptosign": {
        "type": "static",
        "principals": {"c@example.com": {"realm": "realm1", "role": "anonymous", "authorized_keys": [KEY]}},
    },
    "tls": {"type": "static", "principals": {"client_0": {"certificate-sha1": SHA1, "role": "anonymous"}}},
}  # fmt: skip
"""A block of each method as Crossbar's documentation has it."""


@pytest.mark.parametrize("method", CROSSBAR)
def test_block_of_crossbar_is_taken_as_it_is(node, service, read, method):
    service["auth"] = {method: CROSSBAR[method]}
    outcome = read(node)
    assert (outcome.faults, [each for each in outcome.notices if ".auth" in each]) == ({}, [])
    given = service_options(outcome.configuration.services[1])
    assert given.anonymous is None
    assert given.authmethods == ({"scram", "wamp-scram"} if method == "scram" else {method})


def test_methods_are_there_together(node, service, read):
    service["cookie"] = {}
    service["auth"] = {**CROSSBAR, "anonymous": {"type": "static"}, "cookie": {}}
    given = options(node, read)
    assert given.anonymous == AnonymousLogin()
    assert given.authmethods == {"ticket", "wampcra", "scram", "wamp-scram", "cryptosign", "tls", "cookie"}


def test_login_by_cookie_needs_a_cookie(node, service, read):
    service["auth"] = {"cookie": {}, "ticket": TICKETS}
    assert f"{PLACE}.cookie" in read(node).notices
    assert options(node, read).authmethods == {"ticket"}


@pytest.mark.parametrize("method", ["anonymous", "ticket", "wampcra", "scram", "cryptosign", "tls"])
@pytest.mark.parametrize(
    "given",
    [
        {"type": "dynamic", "authenticator": "com.example.authenticate"},
        {"type": "dynamic", "authenticator": "a.b", "authenticator-realm": "realm1", "authenticator-role": "anonymous"},
        {"type": "function", "create": "pack.module.create"},
        {"type": "function", "create": "pack.module.create", "config": {"a": [1]}, "default-role": "anonymous"},
    ],
)
def test_any_method_may_be_decided_on_elsewhere(node, service, read, method, given):
    service["auth"] = {method: given}
    assert method in options(node, read).authmethods
    assert options(node, read).anonymous is None


def test_controller_is_told_to_be_missing(service, problems):
    service["auth"] = {"ticket": {"type": "function", "create": "a.b", "expose_controller": True}}
    assert "ticket.expose_controller" in problems(PLACE)[1]


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({"anonymous": {}}, "anonymous.type", "required and missing"),
        ({"anonymous": {"type": "statik"}}, "anonymous.type", 'found "statik"'),
        ({"anonymous": {"type": "static", "authenticator": "a.b"}}, "anonymous.authenticator", "dynamic"),
        ({"anonymous": {"type": "dynamic", "authenticator": "a.b", "role": "x"}}, "anonymous.role", "type static"),
        ({"anonymous": {"type": "static", "role": ""}}, "anonymous.role", "name of a role"),
        ({"anonymous": {"type": "static", "role": 5}}, "anonymous.role", "found 5"),
        ({"anonymous": {"type": "static", "role": "trusted"}}, "anonymous.role", "router's own"),
        ({"anonymous": {"type": "static", "authid": ""}}, "anonymous.authid", "authid"),
        ({"anonymous": {"type": "static", "rol": "x"}}, "anonymous.rol", "unknown attribute"),
        ({"anonymous": "static"}, "anonymous", "an object"),
        ({"jwt": {}}, "jwt", "unknown attribute"),
        ({"tickt": {}}, "tickt", "unknown attribute"),
        ("anonymous", "", "an object"),
        ([], "", "an object"),
        ({"ticket": None}, "ticket", "found null"),
        ({"ticket": {"type": "static"}}, "ticket.principals", "needs `principals`"),
        ({"wampcra": {"type": "static", "principals": {}}}, "wampcra.principals", "unknown attribute"),
        ({"ticket": {"type": "dynamic"}}, "ticket.authenticator", "needs `authenticator`"),
        ({"ticket": {"type": "dynamic", "authenticator": "a b"}}, "ticket.authenticator", "URI"),
        ({"ticket": {"type": "dynamic", "authenticator": "a", "create": "b.c"}}, "ticket.create", "type function"),
        ({"ticket": {"type": "function"}}, "ticket.create", "needs `create`"),
        ({"ticket": {"type": "function", "create": "nodot"}}, "ticket.create", "package.module.name"),
        ({"ticket": {**TICKETS, "default-role": "trusted"}}, "ticket.default-role", "router's own"),
        ({"cryptosign": {"type": "static", "trustroots": {}}}, "cryptosign.trustroots", "not offered"),
        ({"cryptosign": {**SIGNED, "router_key": "ab" * 32}}, "cryptosign.router_key", "not written"),
        ({"cryptosign": {**SIGNED, "router_key": "${NO_SUCH}"}}, "cryptosign.router_key", "NO_SUCH is not set"),
        ({"cryptosign": {**SIGNED, "router_key": 5}}, "cryptosign.router_key", "secret as text"),
        ({"anonymous-proxy": {}}, "anonymous-proxy", "not offered"),
    ],
)
def test_bad_auth_is_refused(service, problems, given, path, words):
    service["auth"] = given
    assert words in problems(PLACE)[0][path].message


def test_key_of_the_router_is_32_octets_of_the_environment(service, node, read):
    service["auth"] = {"cryptosign": {**SIGNED, "router_key": "${ROUTER_KEY}"}}
    assert not read(node, ROUTER_KEY="ab" * 32).faults
    faults = read(node, ROUTER_KEY="ab" * 31).faults
    assert "64 hex digits" in faults[f"{PLACE}.cryptosign.router_key"].message


def test_trust_roots_are_one_fault_that_says_what_to_do(service, problems):
    service["auth"] = {"cryptosign": {"type": "static", "trustroots": {"realm1": {"certificate": "ca.crt"}}}}
    faults, _ = problems(PLACE)
    assert set(faults) == {"cryptosign.trustroots"}
    assert "under `principals`" in faults["cryptosign.trustroots"].message


def test_misspelt_method_gets_a_suggestion(service, problems):
    service["auth"] = {"tickt": {}}
    assert problems(PLACE)[0]["tickt"].hint == "did you mean 'ticket'?"


@pytest.mark.parametrize("value", ["hunter2", {"ticket": ["hunter2"]}, {"ticket": ""}])
def test_secret_is_not_told_in_problems(service, problems, value):
    service["auth"] = {"ticket": {"type": "static", "principals": {"joe": value}}}
    faults = problems(PLACE)[0]
    assert faults
    assert "hunter2" not in str(faults)


def test_role_and_realm_that_there_are_not_are_told(service, problems):
    service["auth"] = {
        "ticket": {
            "type": "static",
            "default-role": "nobody",
            "principals": {"joe": {"ticket": "x", "role": "none", "realm": "away"}},
        },
        "wampcra": {"type": "dynamic", "authenticator": "a.b", "authenticator-realm": "far"},
    }
    faults, notices = problems(PLACE)
    assert not faults
    assert set(notices) == {
        "ticket.default-role",
        "ticket.principals.joe.role",
        "ticket.principals.joe.realm",
        "wampcra.authenticator-realm",
    }


def test_methods_that_ask_django_are_offered_by_their_names(node, service, read):
    service["auth"] = {"django-session": {}, "token": {"enabled": False}, "ticket": {"type": "token"}}
    assert options(node, read).authmethods == {"django-session", "ticket"}
    service["auth"] = {"token": {"default-role": "anonymous"}, "wampcra": {"type": "database"}}
    assert options(node, read).authmethods == {"token", "wampcra"}


@pytest.mark.parametrize(
    ("auth", "path"),
    [
        ({"django-session": {"default-role": "trusted"}}, "django-session.default-role"),
        ({"django-session": {"trusted_origins": ["*"]}}, "django-session.trusted_origins[0]"),
        ({"django-session": {"trusted_origins": ["https://*.example.com"]}}, "django-session.trusted_origins[0]"),
        ({"django-session": {"trusted_origins": ["example.com"]}}, "django-session.trusted_origins[0]"),
        ({"token": {"secret": "x"}}, "token.secret"),
        ({"anonymous": {"type": "database"}}, "anonymous.type"),
        ({"wampcra": {"type": "token"}}, "wampcra.type"),
        ({"ticket": {"type": "database", "principals": {}}}, "ticket.principals"),
    ],
)
def test_what_django_cannot_be_asked_is_a_fault(service, problems, auth, path):
    service["auth"] = auth
    faults, _ = problems(PLACE)
    assert list(faults) == [path]
