import pytest

PLACE = "workers[0].transports[0].paths.ws.auth"
SCRAM = {
    "kdf": "argon2id13", "iterations": 3, "memory": 64, "salt": "00" * 16,
    "stored-key": "11" * 32, "server-key": "22" * 32, "role": "anonymous",
}  # fmt: skip
SALTING = {"salt": "salt123", "iterations": 100, "keylen": 16}


@pytest.fixture
def told(service, problems):
    """The problems of one principal of a method."""

    def tell(method, principal):
        key = "users" if method == "wampcra" else "principals"
        service["auth"] = {method: {"type": "static", key: {"joe": principal}}}
        return problems(f"{PLACE}.{method}.{key}.joe")

    return tell


@pytest.mark.parametrize(
    ("method", "principal"),
    [
        ("ticket", {"ticket": "x", "role": "anonymous", "authid": "j", "realm": "realm1", "extra": {"a": 1}}),
        ("wampcra", {"secret": "x"}),
        ("wampcra", {"derived_key": "prq7+YkJ1/KlW1X0YczMHw==", **SALTING}),
        ("scram", SCRAM),
        ("scram", {**SCRAM, "kdf": "pbkdf2", "memory": None}),
        ("cryptosign", {"authorized_keys": ["aB" * 32, "cd" * 32]}),
        ("tls", {"certificate-sha256": "AB:" * 31 + "ab"}),
        ("tls", {"certificate-sha256": "ab" * 32, "certificate-sha1": "cd" * 20}),
    ],
)
def test_good_principal_is_taken(told, method, principal):
    assert told(method, principal) == ({}, {})


@pytest.mark.parametrize(
    ("method", "principal", "path", "words"),
    [
        ("ticket", {}, "", "either `ticket`"),
        ("ticket", {"ticket": "x", "ticket_hash": "md5$a$b"}, "", "either `ticket`"),
        ("ticket", {"ticket_hash": "x"}, "ticket_hash", "wamp hash-secret ticket"),
        ("ticket", {"ticket": ""}, "ticket", "empty"),
        ("ticket", {"ticket": "${MISSING}"}, "ticket", "MISSING is not set"),
        ("ticket", {"ticket": "x", "role": "trusted"}, "role", "router's own"),
        ("ticket", {"ticket": "x", "secret": "y"}, "secret", "unknown attribute"),
        ("wampcra", {"role": "anonymous"}, "", "either `secret`"),
        ("wampcra", {"secret": "x", "derived_key": "y"}, "", "either `secret`"),
        ("wampcra", {"derived_key": "y", "salt": "s"}, "derived_key", "iterations, keylen"),
        ("wampcra", {"secret": "x", "iterations": 0}, "iterations", "from 1"),
        ("scram", {**SCRAM, "kdf": "bcrypt"}, "kdf", "argon2id13"),
        ("scram", {**SCRAM, "memory": None}, "memory", "argon2id13"),
        ("scram", {**SCRAM, "stored-key": "11" * 31}, "stored-key", "64 hex digits"),
        ("scram", {**SCRAM, "salt": "xx"}, "salt", "hex"),
        ("cryptosign", {"authorized_keys": ["ab"]}, "authorized_keys[0]", "64 hex digits"),
        ("cryptosign", {}, "authorized_keys", "required and missing"),
        ("tls", {"role": "anonymous"}, "", "certificate-sha256"),
        ("tls", {"certificate-sha1": "AB"}, "certificate-sha1", "20 octets"),
    ],
)
def test_bad_principal_is_refused(told, method, principal, path, words):
    assert words in told(method, principal)[0][path].message


def test_salting_in_part_is_told_to_count_for_nothing(told):
    faults, notices = told("wampcra", {"secret": "x", "salt": "s"})
    assert (list(faults), list(notices)) == ([], ["salt"])


def test_secret_that_looks_derived_already_is_told(told):
    """The example of Crossbar's documentation, which its own code takes for the secret in the clear."""
    faults, notices = told("wampcra", {"secret": "prq7+YkJ1/KlW1X0YczMHw==", **SALTING})
    assert not faults
    assert "derived_key" in notices["secret"].hint
