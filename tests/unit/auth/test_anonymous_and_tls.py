import pytest

from tests.unit.auth.conftest import Listed, request_of, run
from wamp_transport.auth.anonymous_and_tls import AnonymousMethod, TlsMethod
from wamp_transport.auth.principals import Principal
from wamp_transport.router.decisions import Admit, Deny

CERTIFICATE = {"sha1": "AB:" * 19 + "AB", "sha256": "CD:" * 31 + "CD"}


class Anyone:
    provider = "dynamic"

    def __init__(self, principal):
        self.principal = principal

    async def find(self, lookup):
        self.lookup = lookup
        return self.principal

    def model(self, choice):
        return None


def test_anonymous_peer_gets_what_is_decided(login):
    steps = login(AnonymousMethod, Anyone(Principal("guest", "g", "realm2", {"a": 1})))
    assert steps.begin(request_of("anonymous")) == Admit("realm2", "g", "guest", "anonymous", "dynamic", {"a": 1})


def test_anonymous_peer_does_not_choose_its_authid(login):
    steps = login(AnonymousMethod, Anyone(Principal("guest")))
    first, second = steps.begin(request_of("anonymous", "admin")), steps.begin(request_of("anonymous", "admin"))
    assert first.authid.startswith("anonymous-")
    assert first.authid != second.authid
    assert steps.begin(request_of("anonymous", transport={"http_cbtid": "c"})).authid == "c"


def test_peer_with_a_known_certificate_is_admitted(login):
    source = Anyone(Principal("backend", "client_0"))
    answer = login(TlsMethod, source).begin(request_of("tls", "other", transport={"peer_cert": CERTIFICATE}))
    assert answer == Admit("realm1", "client_0", "backend", "tls", "dynamic", None)
    assert source.lookup.fingerprints == {"sha1:" + "AB" * 20, "sha256:" + "CD" * 32}


@pytest.mark.parametrize("transport", [{}, {"peer_cert": None}])
def test_peer_without_a_certificate_is_denied_unasked(login, transport):
    source = Listed()
    assert login(TlsMethod, source).begin(request_of("tls", transport=transport)) == Deny()
    assert not source.lookups


@pytest.mark.parametrize("method", [AnonymousMethod, TlsMethod])
def test_unknown_peer_is_denied(login, method):
    steps = login(method, Anyone(None))
    assert steps.begin(request_of("x", transport={"peer_cert": CERTIFICATE})) == Deny()
    assert run(steps.method.finish(request_of("x"), None, None)) == Deny()
