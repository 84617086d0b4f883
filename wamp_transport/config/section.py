"""The base of all sections of the schema: the model, its attributes, and findings of a section about itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from wamp_transport.config.report import Level, Location

IDENTIFIER = "^[a-z][a-z0-9_]{2,63}$"
IDENTIFIER_EXPECTED = "3 to 64 of a-z, 0-9 and _, starting with a letter"


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem whose location is still relative to the section that found it."""

    location: Location
    message: str
    hint: str = ""
    level: Level = "fault"


@dataclass(frozen=True, slots=True)
class Unoffered:
    """The reason why a kind of section is not offered, and whether the rest runs without it.

    ``{type}`` in the message stands for the section's type.
    """

    message: str
    hint: str = ""
    level: Level = "ignored"


class Section(BaseModel):
    """An object of the configuration: strict types, no unknown keys, immutable.

    ``foreign_keys`` has explanations for keys that are often put here by mistake.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    unoffered: ClassVar[Unoffered | None] = None
    foreign_keys: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield findings about attributes that do not fit together. ``given`` may hold values of any type."""
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
    """Return an attribute of a section. ``default`` is ``...`` if the attribute is required.

    ``ignored`` or ``refused`` mark an attribute that is known but not offered, and say what that means. With
    ``ignored`` the rest runs without it, and the default or a value in ``quiet`` is not reported. With ``refused``
    running without it would be unsafe. ``expected`` describes the values for messages. ``rules`` are pydantic's
    constraints.
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
    """Return the attribute for the management id that Crossbar allows for every item."""
    return setting(
        None,
        "A name of your choice for this item, unique among its kind. 3 to 64 of a-z, 0-9 and _, letter first.",
        pattern=IDENTIFIER,
        expected=IDENTIFIER_EXPECTED,
    )
