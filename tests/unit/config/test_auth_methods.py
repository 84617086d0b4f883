import pytest

from wamp_transport.config.auth import Auth
from wamp_transport.config.auth_methods import (
    ANONYMOUS,
    AUTH_METHODS,
    BY_WIRE_NAME,
    LOCAL,
    OPERATOR,
    SCRAM,
)
from wamp_transport.router import options, session_establishment


def test_each_name_of_a_client_means_one_method():
    names = [name for method in AUTH_METHODS for name in method.wire_names]
    assert len(names) == len(set(names)) == len(BY_WIRE_NAME)
    assert BY_WIRE_NAME["scram"] is BY_WIRE_NAME["wamp-scram"] is SCRAM


def test_every_method_of_a_configuration_is_described():
    keys = {field.alias or name for name, field in Auth.model_fields.items()}
    offered = {key for key in keys if not key.endswith("-proxy")}
    assert offered == {method.name for method in AUTH_METHODS if method not in (OPERATOR, LOCAL)}


def test_router_and_methods_have_the_same_names():
    assert (ANONYMOUS.name, OPERATOR.name) == (session_establishment.ANONYMOUS, options.OPERATOR)


@pytest.mark.parametrize("method", AUTH_METHODS, ids=lambda method: method.name)
def test_cookie_stands_for_no_login_that_django_or_the_connection_decides(method):
    assert not (method.may_be_remembered and method.uses_django_users)


def test_methods_without_a_guess_do_not_count():
    counted = {method.name for method in AUTH_METHODS if method.has_guessable_secret}
    assert counted == {"ticket", "wampcra", "scram", "token"}


def test_cookie_can_be_used_after_methods_that_prove_a_secret_or_key():
    remembered = {method.name for method in AUTH_METHODS if method.may_be_remembered}
    assert remembered == {"ticket", "wampcra", "scram", "cryptosign"}
