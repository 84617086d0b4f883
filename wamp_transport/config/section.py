"""The base class of all schema sections, and the functions that declare their attributes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from wamp_transport.config.report import Level, Location

IDENTIFIER = "^[a-z][a-z0-9_]{2,63}$"
IDENTIFIER_EXPECTED = "a name of 3 to 64 characters (a-z, 0-9 and _; the first is a letter)"


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that a check has found. ``location`` is relative to the section that was checked."""

    location: Location
    message: str
    hint: str = ""
    level: Level = "fault"


@dataclass(frozen=True, slots=True)
class Unoffered:
    """The message for a kind of section that is not supported.

    If ``level`` is ``ignored``, the configuration can be used anyway. ``{type}`` in the message is replaced with the
    section's type.
    """

    message: str
    hint: str = ""
    level: Level = "ignored"


class Section(BaseModel):
    """An object in the configuration. Types are strict, unknown keys are refused, and instances are immutable.

    ``foreign_keys`` contains keys that users often put in this section by mistake, each with an explanation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    unoffered: ClassVar[Unoffered | None] = None
    foreign_keys: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield findings about conflicting attributes. ``given`` is not validated, so its values can have any type."""
        yield from ()


def setting(
    default: Any,
    help: str,
    *,
    alias: str | None = None,
    unit: str = "",
    expected: str = "",
    ignored: str = "",
    refused: str = "",
    quiet: tuple[Any, ...] = (),
    secret: bool = False,
    **rules: Any,
) -> Any:
    """Declare an attribute of a section. ``default`` is ``...`` if the attribute is required.

    Set ``ignored`` or ``refused`` to mark an attribute that is known but not supported. The text is a message that
    explains what happens instead. An ``ignored`` attribute has no effect. The message is reported unless the attribute
    is null or has its default value. If ``quiet`` is given, the values in ``quiet`` take the place of the default
    value. A ``refused`` attribute is an error unless it is null, because ignoring it would be unsafe.

    ``expected`` describes the allowed values in messages. ``rules`` are constraints for pydantic.
    """
    extra: dict[str, Any] = {}
    if unit:
        extra["unit"] = unit
    if expected:
        extra["expected"] = expected
    if secret:
        extra["secret"] = True
    if ignored or refused:
        extra["offered"] = False
        extra["instead"] = ignored or refused
        extra["refused"] = bool(refused)
        if quiet:
            extra["quiet"] = list(quiet)
    return Field(default, alias=alias, description=help, json_schema_extra=extra, **rules)


def identifier() -> Any:
    """Declare the attribute ``id``: a name for management tools, which Crossbar allows for every item."""
    return setting(
        None,
        "A name of your choice, unique among items of the same kind. 3 to 64 characters: a-z, 0-9 and _. The first is "
        "a letter.",
        pattern=IDENTIFIER,
        expected=IDENTIFIER_EXPECTED,
    )
