import pytest
from pydantic import ValidationError

from wamp_transport.config.section import Finding, Section, setting


class Sample(Section):
    """A section."""

    number: int = setting(1, "A number.", unit="s", ge=0)
    dashed_name: str = setting("", "A name.", alias="dashed-name")
    later: str | None = setting(None, "Later.", ignored="not yet", quiet=("x",))
    never: str | None = setting(None, "Never.", refused="unsafe")


def test_section_is_immutable_and_strict():
    sample = Sample.model_validate({"number": 2})
    with pytest.raises(ValidationError):
        sample.number = 3
    for wrong in (True, 2.0, "2"):
        with pytest.raises(ValidationError):
            Sample.model_validate({"number": wrong})


def test_unknown_key_is_refused():
    with pytest.raises(ValidationError):
        Sample.model_validate({"other": 1})


def test_alias_is_the_only_key():
    assert Sample.model_validate({"dashed-name": "x"}).dashed_name == "x"
    with pytest.raises(ValidationError):
        Sample.model_validate({"dashed_name": "x"})


def test_marks_are_kept_beside_the_field():
    fields = Sample.model_fields
    assert fields["number"].json_schema_extra == {"unit": "s"}
    assert fields["later"].json_schema_extra == {
        "offered": False,
        "instead": "not yet",
        "refused": False,
        "quiet": ["x"],
    }
    assert fields["never"].json_schema_extra == {"offered": False, "instead": "unsafe", "refused": True}


def test_section_finds_nothing_by_itself():
    assert list(Section.check({"a": 1})) == []
    assert Finding(("a",), "x").level == "fault"
