import pytest
from pydantic import TypeAdapter, ValidationError

from wamp_transport.config.secret import Secret, is_reference


def read(value, **environ):
    return TypeAdapter(Secret).validate_python(value, context={"environ": environ})


def test_secret_is_revealed_on_request_alone():
    secret = read("hunter2")
    assert secret.reveal() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {TypeAdapter(Secret).dump_json(secret)}"


def test_secrets_are_equal_as_their_texts_are():
    assert read("a") == Secret("a")
    assert read("a") != Secret("b")
    assert read("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_dumps_differ_as_the_texts_do():
    dump = TypeAdapter(Secret).dump_json
    assert dump(Secret("a")) == dump(Secret("a")) != dump(Secret("b"))


@pytest.mark.parametrize("value", ["${NAME}"])
def test_secret_is_taken_from_the_environment(value):
    assert is_reference(value)
    assert read(value, NAME="hunter2").reveal() == "hunter2"


@pytest.mark.parametrize("value", ["$NAME", "x${NAME}", "${NAME", "${}", "$"])
def test_what_could_be_a_password_is_one(value):
    assert not is_reference(value)
    assert read(value, NAME="other").reveal() == value


@pytest.mark.parametrize(
    ("value", "words"),
    [("", "empty"), (5, "as text"), (None, "as text"), (["hunter2"], "as text"), ("${NO}", "NO is not set"),
     ("${EMPTY}", "EMPTY is not set, or empty")],
)  # fmt: skip
def test_what_is_no_secret_is_refused_without_showing_it(value, words):
    with pytest.raises(ValidationError) as refused:
        read(value, EMPTY="")
    (error,) = refused.value.errors()
    assert words in error["msg"]
    assert "hunter2" not in error["msg"]


def test_secret_that_was_read_is_read_again():
    secret = read("a")
    assert read(secret) is secret


def test_schema_says_text():
    assert TypeAdapter(Secret).json_schema() == {"type": "string", "minLength": 1, "writeOnly": True}
    assert not is_reference(5)
