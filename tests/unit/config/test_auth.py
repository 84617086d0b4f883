import pytest

from wamp_transport.config import service_options
from wamp_transport.router.options import AnonymousLogin

PLACE = "workers[0].transports[0].paths.ws.auth"


def login(node, read):
    outcome = read(node)
    return service_options(outcome.configuration.services[1]).anonymous


@pytest.mark.parametrize("given", [None, {}])
def test_no_method_means_anonymous(node, service, read, given):
    service["auth"] = given
    assert login(node, read) == AnonymousLogin("anonymous", None)


def test_static_anonymous_gives_role_and_authid(node, worker, service, read):
    worker["realms"][0]["roles"].append({"name": "guest"})
    service["auth"] = {"anonymous": {"type": "static", "role": "guest", "authid": "joe"}}
    assert login(node, read) == AnonymousLogin("guest", "joe")


def test_static_anonymous_has_defaults(node, service, read):
    service["auth"] = {"anonymous": {"type": "static"}}
    assert login(node, read) == AnonymousLogin("anonymous", None)


def test_realm_of_anonymous_is_told_to_be_ignored(service, problems):
    service["auth"] = {"anonymous": {"type": "static", "realm": "realm2"}}
    faults, notices = problems(PLACE)
    assert (list(faults), list(notices)) == ([], ["anonymous.realm"])


METHODS = ["ticket", "wampcra", "scram", "cryptosign", "tls", "cookie", "anonymous-proxy", "cryptosign-proxy"]


@pytest.mark.parametrize("method", METHODS)
def test_method_not_offered_is_refused_naming_those_offered(service, problems, method):
    service["auth"] = {method: {"type": "static", "principals": {"joe": {"ticket": "hunter2"}}}}
    faults, _ = problems(PLACE)
    assert f'"{method}" is not offered yet' in faults[method].message
    assert "anonymous, type static" in faults[method].message
    assert "hunter2" not in str(faults)


def test_method_not_offered_is_refused_beside_anonymous_too(service, problems):
    service["auth"] = {"anonymous": {"type": "static"}, "ticket": {}}
    assert list(problems(PLACE)[0]) == ["ticket"]


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({"anonymous": {}}, "anonymous.type", "required and missing"),
        ({"anonymous": {"type": "dynamic", "authenticator": "a.b"}}, "anonymous.type", "not offered yet"),
        ({"anonymous": {"type": "function", "create": "a.b"}}, "anonymous.type", "not offered yet"),
        ({"anonymous": {"type": "statik"}}, "anonymous.type", 'found "statik"'),
        ({"anonymous": {"type": "static", "authenticator": "a.b"}}, "anonymous.authenticator", "dynamic"),
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
    ],
)
def test_bad_auth_is_refused(service, problems, given, path, words):
    service["auth"] = given
    assert words in problems(PLACE)[0][path].message


def test_misspelt_method_gets_a_suggestion(service, problems):
    service["auth"] = {"tickt": {}}
    assert problems(PLACE)[0]["tickt"].hint == "did you mean 'ticket'?"
