"""Tokens: made for users and for others, read while they count, worthless when anything of them is changed."""

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from wamp_transport import tokens
from wamp_transport.tokens import InvalidToken, fits, make_token, read_token


@pytest.fixture
def joe(db):
    return User.objects.create_user("joe", password="first")


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1_000_000.0

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(tokens, "time", clock)
    return clock


def test_token_tells_what_it_was_made_with():
    claims = read_token(make_token("worker", "realm1", "backend", extra={"shard": 3}))
    assert (claims.authid, claims.realm, claims.role, claims.extra) == ("worker", "realm1", "backend", {"shard": 3})
    assert (claims.user, claims.id) == (None, None)


def test_token_ends(clock):
    token = make_token("worker", "realm1", "backend", lifetime=10)
    clock.now += 9.9
    assert read_token(token).authid == "worker"
    clock.now += 0.2
    with pytest.raises(InvalidToken, match="expired"):
        read_token(token)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: "x" + t, lambda t: "", lambda t: t * 100, str.upper])
def test_what_was_changed_is_no_token(change):
    with pytest.raises(InvalidToken):
        read_token(change(make_token("worker", "realm1", "backend")))


def test_token_of_another_key_counts_while_that_is_a_fallback(settings):
    token = make_token("worker", "realm1", "backend")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "new"
    assert read_token(token).authid == "worker"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(InvalidToken):
        read_token(token)


def test_users_token_ends_with_the_password(joe, settings):
    claims = read_token(make_token(joe))
    assert claims.user == str(joe.pk)
    assert fits(claims, joe)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    joe.set_password("second")
    assert not fits(claims, joe)


def test_tokens_for_once_differ():
    one, two = (read_token(make_token("worker", "realm1", "backend", once=True)).id for _ in range(2))
    assert one
    assert one != two


def test_token_that_could_never_count_is_not_made(joe):
    joe.is_active = False
    for arguments, options in [
        ((joe,), {}),
        ((User(username="x"),), {}),
        (("worker",), {}),
        (("worker", "realm1"), {}),
        (("", "realm1", "backend"), {}),
        (("worker", "realm1", "trusted"), {}),
        (("worker", "realm1", "backend"), {"lifetime": 0}),
    ]:
        with pytest.raises(ValueError):
            make_token(*arguments, **options)


def test_command_prints_a_token(joe):
    def run(*arguments):
        out = StringIO()
        call_command("wamp", "token", *arguments, stdout=out)
        return read_token(out.getvalue().strip())

    assert run("--user", "joe", "--realm", "realm1").user == str(joe.pk)
    assert run("--authid", "worker", "--realm", "realm1", "--role", "backend", "--once").id
    with pytest.raises(CommandError, match="no user 'ann'"):
        run("--user", "ann")
    with pytest.raises(CommandError, match="needs the authid, a realm and a role"):
        run("--authid", "worker")


@pytest.mark.parametrize(
    ("extra", "text"), [({"a": "x" * 5000}, "4096 is the limit"), ({"a": {1, 2}}, "must consist of JSON values")]
)
def test_extra_that_no_login_would_accept_is_refused(extra, text):
    with pytest.raises(ValueError, match=text):
        make_token("device", "realm1", "device", extra=extra)
