import pytest
from pydantic import TypeAdapter, ValidationError

from wamp_transport.config.endpoint import Port
from wamp_transport.config.environment_variables import number_in, switch_in, variable_name
from wamp_transport.config.node import Switch


@pytest.mark.parametrize(("value", "name"), [("$PORT", "PORT"), ("${PORT}", "PORT"), ("$a_1", "a_1")])
def test_reference_names_its_variable(value, name):
    assert variable_name(value) == name


@pytest.mark.parametrize("value", ["PORT", "$", "${}", "$1A", "${A", "$A}", "x$A", "$A\n", "$Ä", 5, None])
def test_other_values_are_no_reference(value):
    assert variable_name(value) is None


def port(value, **environ):
    return TypeAdapter(Port).validate_python(value, strict=True, context={"environ": environ})


def test_number_comes_from_either_form():
    assert port(80) == 80
    assert port("$PORT", PORT="8080") == 8080
    assert port("${PORT}", PORT=" 8080 ") == 8080


@pytest.mark.parametrize("text", ["", "x", "-1", "8080.0", "0x50", "٨٠", "9" * 30])
def test_variable_without_a_number_is_refused_and_not_shown(text):
    with pytest.raises(ValidationError) as caught:
        port("$PORT", PORT=text)
    assert caught.value.errors()[0]["msg"] == "environment variable PORT does not hold an integer"


def test_unset_variable_is_refused():
    with pytest.raises(ValidationError, match="environment variable PORT is not set"):
        port("$PORT")
    with pytest.raises(ValidationError, match="environment variable PORT is not set"):
        TypeAdapter(Port).validate_python("$PORT")


def test_switch_is_on_for_any_text():
    def switch(value, **environ):
        return TypeAdapter(Switch).validate_python(value, strict=True, context={"environ": environ})

    assert switch(True) is True
    assert switch("${OFF}", OFF="0") is True
    assert switch("${OFF}", OFF="") is False
    assert switch("${OFF}") is False


def test_values_are_looked_up_without_validation():
    assert number_in(5, {}) == 5
    assert number_in("$P", {"P": "5"}) == 5
    assert number_in(True, {}) is number_in("5", {}) is number_in("$P", {}) is number_in(None, {}) is None
    assert switch_in("$P", {"P": "x"}) is switch_in(True, {}) is True
    assert switch_in("$P", {}) is switch_in(1, {}) is switch_in("yes", {}) is False
