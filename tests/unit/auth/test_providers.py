from wamp_transport.auth.dynamic import DynamicPrincipals, FunctionPrincipals
from wamp_transport.auth.providers import NAMES_USERS, WATCHED, AuthProvider
from wamp_transport.auth.static import StaticPrincipals


def test_providers_are_compared_as_text():
    assert "database" in WATCHED
    assert "static" not in WATCHED
    assert "django" in NAMES_USERS
    assert "token" not in NAMES_USERS


def test_sources_have_plain_text_for_messages():
    for source in (StaticPrincipals, DynamicPrincipals, FunctionPrincipals):
        assert type(source.provider) is str
        assert source.provider in list(AuthProvider)
