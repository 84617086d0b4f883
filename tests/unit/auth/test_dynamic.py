import pytest

from tests.unit.auth.conftest import run
from wamp_transport.auth.dynamic import DynamicPrincipals, FunctionPrincipals
from wamp_transport.auth.principals import LoginDenied, Lookup, Principal
from wamp_transport.wamp.errors import ApplicationError

LOOKUP = Lookup("ticket", "realm1", "joe", {"session": 7}, ticket="x")


class Procedure:
    def __init__(self, answer):
        self.answer = answer
        self.calls = []

    async def __call__(self, *arguments):
        self.calls.append(arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def denied(source, lookup=LOOKUP):
    with pytest.raises(LoginDenied) as refused:
        source.find(lookup).send(None)
    return refused.value.reason, str(refused.value)


@pytest.mark.parametrize(("realm", "role", "called"), [(None, None, "realm1"), ("auth", "asker", "auth")])
def test_procedure_is_called_with_realm_authid_and_details(realm, role, called):
    procedure = Procedure({"role": "user"})
    source = DynamicPrincipals(procedure, "com.example.auth", realm, role)
    assert run(source.find(LOOKUP)) == Principal("user")
    assert procedure.calls == [(called, role, "com.example.auth", ["realm1", "joe", {"session": 7}])]
    assert (source.provider, source.model(0)) == ("dynamic", None)


def test_error_of_the_procedure_is_the_reason():
    refusal = ApplicationError("com.example.no_such_user", "no such user")
    assert denied(DynamicPrincipals(Procedure(refusal), "a.b")) == ("com.example.no_such_user", "no such user")


@pytest.mark.expects_errors("the authenticator a.b cannot be asked")
@pytest.mark.parametrize("uri", ["wamp.error.no_such_procedure", "wamp.error.runtime_error", "wamp.error.timeout"])
def test_procedure_that_fails_denies_without_telling_why(uri):
    reason, message = denied(DynamicPrincipals(Procedure(ApplicationError(uri, "inner text")), "a.b"))
    assert reason == "wamp.error.authentication_failed"
    assert "inner" not in message


def test_login_without_a_realm_has_nobody_to_ask():
    source = DynamicPrincipals(Procedure("user"), "a.b")
    assert denied(source, Lookup("ticket", None, "joe", {}))[0] == "wamp.error.no_such_realm"


@pytest.mark.expects_errors("a.b did not return a valid principal: expected an object or a role, found int")
def test_answer_that_is_no_principal_denies():
    assert denied(DynamicPrincipals(Procedure(5), "a.b"))[0] == "wamp.error.authentication_failed"


class Later:
    """Looks like a plain function, and returns what is awaited."""

    async def __call__(self, realm, authid, details):
        return f"{realm} {authid} {details['session']}"


def test_function_may_be_plain_or_a_coroutine_or_return_one(world):
    async def later(realm, authid, details):
        return f"{realm} {authid} {details['session']}"

    for function in (Later(), later, lambda r, a, d: f"{r} {a} {d['session']}"):
        source = FunctionPrincipals(world, "a.b", function)
        assert run(source.find(LOOKUP)) == Principal("realm1 joe 7")
    assert world.offload.count == 2
    assert (source.provider, source.model(0)) == ("function", None)


class AutobahnError(Exception):
    def __init__(self, error, *args):
        super().__init__(*args)
        self.error = error


@pytest.mark.parametrize(
    ("error", "text"),
    [(ApplicationError("com.no", "not you"), "not you"), (AutobahnError("com.no", "not you"), "not you"),
     (ApplicationError("com.no"), "authentication failed")],
)  # fmt: skip
def test_error_with_a_uri_is_the_reason(world, error, text):
    def refuse(*_):
        raise error

    assert denied(FunctionPrincipals(world, "a.b", refuse)) == ("com.no", text)


def test_other_error_passes(world):
    def fail(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        FunctionPrincipals(world, "a.b", fail).find(LOOKUP).send(None)


def test_function_that_could_not_be_made_denies(world):
    assert denied(FunctionPrincipals(world, "a.b", None))[0] == "wamp.error.authentication_failed"


@pytest.mark.expects_errors("a.b did not return a valid principal")
def test_answer_of_a_function_is_checked(world):
    assert denied(FunctionPrincipals(world, "a.b", lambda *_: None))[0] == "wamp.error.authentication_failed"
