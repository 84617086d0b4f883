from wamp_transport.auth.credential_kinds import CREDENTIAL_KINDS, kinds_for
from wamp_transport.auth.scram import DIALECT, KDFS, STANDARD
from wamp_transport.config.auth_methods import BY_WIRE_NAME


def test_preferred_kinds_come_first():
    assert kinds_for("ticket") == ("ticket",)
    assert kinds_for(STANDARD) == ("wamp-scram", "scram-pbkdf2")
    assert kinds_for(DIALECT) == ("scram", "scram-pbkdf2")
    assert kinds_for("anonymous") == ()


def test_kinds_serve_methods_that_exist():
    assert {name for kind in CREDENTIAL_KINDS.values() for name in kind.wire_names} <= set(BY_WIRE_NAME)


def test_key_derivation_suits_the_method():
    for method in (STANDARD, DIALECT):
        assert tuple(CREDENTIAL_KINDS[kind].kdf for kind in kinds_for(method)) == KDFS[method]


def test_public_kinds_have_no_secret_to_guess():
    for kind in CREDENTIAL_KINDS.values():
        guessable = any(BY_WIRE_NAME[name].has_guessable_secret for name in kind.wire_names)
        assert kind.is_public is not guessable
