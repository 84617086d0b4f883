import json

import pytest
from wamp_transport.router.decisions import Admit, Deny

from tests.unit.auth.conftest import TIMESTAMP, Listed, request_of
from wamp_transport.auth.cra_method import CraMethod, salting_of
from wamp_transport.auth.principals import CraKeys, CraPassword, Principal
from wamp_transport.auth.ticket import PlainTickets
from wamp_transport.auth.wampcra import Salting, derive_key, sign

SALTING = Salting("salt123", 100, 16)
KEY = derive_key("secret1", SALTING)
USERS = {
    "joe": Principal("user", "joe", credential=CraKeys(("old", "secret2"))),
    "peter": Principal("user", "peter", credential=CraPassword("secret1", SALTING)),
    "pat": Principal(None, "patricia", credential=CraKeys((KEY,), SALTING)),
}


@pytest.fixture
def steps(login):
    return login(CraMethod, Listed(**USERS), "guest")


def test_challenge_says_who_the_peer_will_be(steps):
    challenge = steps.begin(request_of("wampcra", "pat"))
    text = json.loads(challenge.extra["challenge"])
    assert len(text.pop("nonce")) == 64
    assert text == {"authid": "patricia", "authrole": "guest", "authmethod": "wampcra", "authprovider": "static",
                    "session": 7, "timestamp": TIMESTAMP}  # fmt: skip


@pytest.mark.parametrize(
    ("authid", "key", "role", "salted"),
    [
        ("joe", "old", "user", False),
        ("joe", "secret2", "user", False),
        ("peter", KEY, "user", True),
        ("pat", KEY, "guest", True),
    ],
)
def test_right_signature_admits(steps, authid, key, role, salted):
    request = request_of("wampcra", authid)
    challenge = steps.begin(request)
    assert ({**SALTING.extra()}.items() <= challenge.extra.items()) is salted
    answer = steps.finish(request, challenge, sign(key, challenge.extra["challenge"]))
    assert isinstance(answer, Admit)
    assert (answer.authrole, answer.authmethod) == (role, "wampcra")


@pytest.mark.parametrize("authid", ["joe", "peter", "pat", "nobody", None])
def test_wrong_signature_is_denied_in_the_neutral_way(steps, authid):
    request = request_of("wampcra", authid)
    challenge = steps.begin(request)
    for key in ("", "x", "secret1"):
        assert steps.finish(request, challenge, sign(key, challenge.extra["challenge"])) == Deny()
    assert steps.finish(request, challenge, "") == Deny()


def test_signature_of_an_earlier_challenge_is_denied(steps):
    request = request_of("wampcra", "joe")
    first, second = steps.begin(request), steps.begin(request)
    assert steps.finish(request, second, sign("secret2", first.extra["challenge"])) == Deny()


def test_unknown_peers_are_challenged_like_principals_and_each_time_alike(steps):
    seen = set()
    for number in range(20):
        asked = f"nobody{number}"
        first, second = (steps.begin(request_of("wampcra", asked)).extra for _ in range(2))
        texts = [json.loads(each.pop("challenge")) for each in (first, second)]
        assert first == second
        assert texts[0]["authid"] == asked
        assert texts[0]["authrole"] == texts[1]["authrole"] in ("user", "guest")
        seen.add((first.get("salt") is not None, first.get("iterations"), first.get("keylen")))
        assert first.get("salt") != "salt123"
    assert seen == {(False, None, None), (True, 100, 16)}


def test_unknown_peer_costs_as_much_as_the_principal_it_looks_like(login, world):
    steps = login(CraMethod, Listed(peter=USERS["peter"]))
    steps.begin(request_of("wampcra", "peter"))
    steps.begin(request_of("wampcra", "nobody"))
    assert world.offload.count == 2


def test_without_principals_the_challenge_is_unsalted(login):
    challenge = login(CraMethod, Listed()).begin(request_of("wampcra", "joe"))
    assert challenge.extra.keys() == {"challenge"}


def test_credential_of_another_method_admits_nobody(login):
    steps = login(CraMethod, Listed(joe=Principal("user", credential=PlainTickets(("x",)))))
    request = request_of("wampcra")
    challenge = steps.begin(request)
    assert steps.finish(request, challenge, sign("x", challenge.extra["challenge"])) == Deny()


def test_salting_takes_all_three():
    assert salting_of("salt123", 100, 16) == SALTING
    assert salting_of("s", None, 16) is salting_of(None, 1, 16) is salting_of("s", 1, None) is None
