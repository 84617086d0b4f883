import pytest

from wamp_transport.auth.authenticator_result import BadAnswer, principal_from
from wamp_transport.auth.principals import CraKeys, CraPassword, Principal, PublicKeys, ScramCredential
from wamp_transport.auth.scram import Derivation, ScramKeys
from wamp_transport.auth.wampcra import Salting

SALTING = {"salt": "s", "iterations": 3, "keylen": 16}
SCRAM = {"kdf": "argon2id-13", "iterations": 3, "memory": 64, "salt": "0a" * 8, "stored-key": "0b" * 32,
         "server-key": b"\x0c" * 32}  # fmt: skip


@pytest.mark.parametrize(
    ("method", "answer", "principal"),
    [
        ("ticket", "user", Principal("user")),
        ("ticket", {}, Principal()),
        (
            "tls",
            {"role": "r", "authid": "a", "realm": "x", "extra": {"b": 1}, "more": 1},
            Principal("r", "a", "x", {"b": 1}),
        ),
        ("wampcra", {"secret": "x"}, Principal(credential=CraKeys(("x",)))),
        ("wampcra", {"secret": "x", **SALTING}, Principal(credential=CraPassword("x", Salting("s", 3, 16)))),
        ("wampcra", {"derived_key": "x", **SALTING}, Principal(credential=CraKeys(("x",), Salting("s", 3, 16)))),
        ("cryptosign", {"pubkey": "aB" * 32}, Principal(credential=PublicKeys(("ab" * 32,)))),
        (
            "scram",
            SCRAM,
            Principal(
                credential=ScramCredential(
                    Derivation("argon2id-13", b"\n" * 8, 3, 64), (ScramKeys(b"\x0b" * 32, b"\x0c" * 32),)
                )
            ),
        ),
    ],
)
def test_answer_is_a_principal(method, answer, principal):
    assert principal_from(method, answer) == principal


@pytest.mark.parametrize(
    ("method", "answer", "words"),
    [
        ("ticket", None, "NoneType"),
        ("ticket", True, "bool"),
        ("ticket", ["user"], "list"),
        ("ticket", {"role": 5}, "`role`"),
        ("ticket", {"role": ""}, "`role`"),
        ("ticket", {"authid": ["x"]}, "`authid`"),
        ("ticket", {"realm": 1}, "`realm`"),
        ("ticket", {"extra": "x"}, "`extra`"),
        ("ticket", {"extra": {1: 2}}, "`extra`"),
        ("wampcra", {"role": "x"}, "`secret`"),
        ("wampcra", {"secret": "x", "derived_key": "y", **SALTING}, "`secret`"),
        ("wampcra", {"derived_key": "y"}, "`secret`"),
        ("wampcra", {"secret": "x", **SALTING, "iterations": 10**9}, "`iterations`"),
        ("wampcra", {"secret": "x", **SALTING, "iterations": True}, "`iterations`"),
        ("wampcra", {"secret": "x", **SALTING, "keylen": 0}, "`keylen`"),
        ("cryptosign", {"pubkey": "x"}, "`pubkey`"),
        ("cryptosign", "user", "`pubkey`"),
        ("scram", {**SCRAM, "kdf": "x"}, "`kdf`"),
        ("scram", {**SCRAM, "iterations": None}, "`iterations`"),
        ("scram", {**SCRAM, "salt": "zz"}, "`salt`"),
        ("scram", {**SCRAM, "salt": None}, "`salt`"),
        ("scram", {**SCRAM, "stored-key": ""}, "`stored-key`"),
    ],
)
def test_what_is_no_principal_is_told_without_its_values(method, answer, words):
    with pytest.raises(BadAnswer, match=words):
        principal_from(method, answer)
