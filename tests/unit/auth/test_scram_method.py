from base64 import b64decode, b64encode

import pytest
from wamp_transport.router.decisions import Admit, ChallengePeer, Deny

from tests.unit.auth.conftest import Listed, request_of
from wamp_transport.auth.principals import Principal, ScramCredential
from wamp_transport.auth.scram import (
    DIALECT,
    STANDARD,
    Derivation,
    auth_message,
    client_proof,
    keys_of,
    salted_password,
    server_signature,
)
from wamp_transport.auth.scram_method import ScramMethod

SALT = bytes(range(16))
WAYS = {
    "spec": Derivation("argon2id13", SALT, 1, 8),
    "dialect": Derivation("argon2id-13", SALT, 1, 8),
    "both": Derivation("pbkdf2", SALT, 2),
}
SALTED = {name: salted_password("pencil", way) for name, way in WAYS.items()}
USERS = {
    name: Principal("user", name, credential=ScramCredential(WAYS[name], (keys_of(SALTED[name]),))) for name in WAYS
}
NONCE = b64encode(b"client-nonce").decode()
EXPORTER = "ab" * 32


@pytest.fixture
def steps(login):
    return login(ScramMethod, Listed(**USERS))


def proof_of(challenge, method, authid, salted, channel=None):
    extra = challenge.extra
    way = Derivation(extra["kdf"], b64decode(extra["salt"]), extra["iterations"], extra.get("memory"))
    message = auth_message(method, authid, NONCE, extra["nonce"], way, channel)
    return b64encode(client_proof(salted, message)).decode(), message


@pytest.mark.parametrize(
    ("method", "authid"), [(STANDARD, "spec"), (STANDARD, "both"), (DIALECT, "dialect"), (DIALECT, "both")]
)
def test_right_proof_admits_and_the_server_proves_itself(steps, method, authid):
    request = request_of(method, authid, nonce=NONCE)
    challenge = steps.begin(request)
    assert challenge.method == method
    extra = {**challenge.extra}
    nonce = extra.pop("nonce")
    way = WAYS[authid]
    expected = {"salt": b64encode(SALT).decode(), "kdf": way.kdf, "iterations": way.iterations, "memory": way.memory}
    if method == DIALECT and way.memory is None:
        del expected["memory"]
    assert extra == expected
    assert nonce.startswith(NONCE) if method == STANDARD else b64decode(nonce).startswith(b"client-nonce")
    proof, message = proof_of(challenge, method, authid, SALTED[authid])
    answer = steps.finish(request, challenge, proof, nonce=nonce)
    assert isinstance(answer, Admit)
    name = "verifier" if method == STANDARD else "scram_server_signature"
    signature = b64encode(server_signature(keys_of(SALTED[authid]), message)).decode()
    assert answer.authextra == {name: signature}


@pytest.mark.parametrize("method", [STANDARD, DIALECT])
@pytest.mark.parametrize("authid", ["spec", "dialect", "both", "nobody"])
def test_wrong_proof_is_denied_in_the_neutral_way(steps, method, authid):
    request = request_of(method, authid, nonce=NONCE)
    challenge = steps.begin(request)
    proof, _ = proof_of(challenge, method, authid, b"x" * 32)
    nonce = challenge.extra["nonce"]
    for given in (proof, "", "?", "ü", b64encode(b"short").decode()):
        assert steps.finish(request, challenge, given, nonce=nonce) == Deny()


def test_proof_for_keys_of_the_other_form_is_denied(steps):
    request = request_of(STANDARD, "dialect", nonce=NONCE)
    challenge = steps.begin(request)
    assert challenge.extra["kdf"] in ("argon2id13", "pbkdf2")
    proof, _ = proof_of(challenge, STANDARD, "dialect", SALTED["dialect"])
    assert steps.finish(request, challenge, proof, nonce=challenge.extra["nonce"]) == Deny()


def test_second_set_of_keys_counts_as_well(login):
    other = keys_of(salted_password("old", WAYS["spec"]))
    both = ScramCredential(WAYS["spec"], (other, keys_of(SALTED["spec"])))
    steps = login(ScramMethod, Listed(joe=Principal("user", credential=both)))
    request = request_of(STANDARD, "joe", nonce=NONCE)
    challenge = steps.begin(request)
    proof, _ = proof_of(challenge, STANDARD, "joe", SALTED["spec"])
    assert isinstance(steps.finish(request, challenge, proof, nonce=challenge.extra["nonce"]), Admit)


@pytest.mark.parametrize("extra", [{}, {"nonce": "other"}, {"nonce": None}])
def test_nonce_must_be_repeated(steps, extra):
    request = request_of(STANDARD, "spec", nonce=NONCE)
    challenge = steps.begin(request)
    proof, _ = proof_of(challenge, STANDARD, "spec", SALTED["spec"])
    assert steps.finish(request, challenge, proof, **extra) == Deny()


@pytest.mark.parametrize("given", [{"channel_binding": "tls-exporter"}, {"cbind_data": "AA=="}])
def test_binding_that_was_not_asked_for_is_denied(steps, given):
    request = request_of(STANDARD, "spec", nonce=NONCE)
    challenge = steps.begin(request)
    proof, _ = proof_of(challenge, STANDARD, "spec", SALTED["spec"])
    assert steps.finish(request, challenge, proof, nonce=challenge.extra["nonce"], **given) == Deny()


@pytest.mark.parametrize("data", [EXPORTER, "cd" * 32])
def test_login_is_bound_to_its_channel(steps, data):
    transport = {"channel_id": {"tls-exporter": EXPORTER}}
    request = request_of(STANDARD, "spec", transport=transport, nonce=NONCE, channel_binding="tls-exporter")
    challenge = steps.begin(request)
    octets = bytes.fromhex(data)
    proof, _ = proof_of(challenge, STANDARD, "spec", SALTED["spec"], ("tls-exporter", octets))
    given = {"channel_binding": "tls-exporter", "cbind_data": b64encode(octets).decode()}
    answer = steps.finish(request, challenge, proof, nonce=challenge.extra["nonce"], **given)
    assert isinstance(answer, Admit) is (data == EXPORTER)


@pytest.mark.parametrize("extra", [{}, {"nonce": 5}, {"nonce": ""}, {"nonce": "?"}, {"nonce": "AAAA" * 200},
                                   {"nonce": NONCE, "channel_binding": "tls-unique"},
                                   {"nonce": NONCE, "channel_binding": "tls-exporter"}])  # fmt: skip
def test_login_that_cannot_be_is_denied_before_anybody_is_looked_up(login, extra):
    source = Listed(**USERS)
    answer = login(ScramMethod, source).begin(request_of(STANDARD, "spec", **extra))
    assert isinstance(answer, Deny)
    assert "authextra" in answer.message
    assert not source.lookups


@pytest.mark.parametrize("method", [STANDARD, DIALECT])
def test_unknown_peers_are_challenged_like_principals_and_each_time_alike(steps, method):
    for number in range(10):
        request = request_of(method, f"nobody{number}", nonce=NONCE)
        first, second = ({**steps.begin(request).extra} for _ in range(2))
        assert first.pop("nonce") != second.pop("nonce")
        assert first == second
        assert len(b64decode(first["salt"])) == 16


@pytest.mark.parametrize("method", [STANDARD, DIALECT])
def test_without_principals_there_is_a_challenge_all_the_same(login, method):
    challenge = login(ScramMethod, Listed()).begin(request_of(method, "joe", nonce=NONCE))
    assert isinstance(challenge, ChallengePeer)
    assert challenge.extra["memory"] >= 512


@pytest.mark.parametrize("method", [STANDARD, DIALECT])
def test_unknown_peers_look_like_those_who_can_log_in_by_the_method(login, method):
    ways = {
        STANDARD: Derivation("argon2id13", b"s" * 12, 2, 128),
        DIALECT: Derivation("argon2id-13", b"s" * 14, 5, 256),
    }
    listed = {name: Principal("user", credential=ScramCredential(way, ())) for name, way in ways.items()}
    steps, way = login(ScramMethod, Listed(**listed)), ways[method]
    for number in range(20):
        extra = steps.begin(request_of(method, f"nobody{number}", nonce=NONCE)).extra
        told = extra["kdf"], len(b64decode(extra["salt"])), extra["iterations"], extra["memory"]
        assert told == (way.kdf, len(way.salt), way.iterations, way.memory)
