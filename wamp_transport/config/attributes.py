"""The schema as a list of leaf attributes, with the details that forms and the reference page show."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo

from wamp_transport.config.schema_walk import attributes, bare, is_nullable, item_type, sections_of
from wamp_transport.config.secret import Secret
from wamp_transport.config.section import Section

Kind = Literal["bool", "int", "str", "list[str]", "choice", "json"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A leaf attribute of a section: its value is not a section itself. ``path`` is its dotted path in the section.

    ``minimum`` and ``maximum`` are inclusive. If ``offered`` is false, the attribute is not supported. A configuration
    that sets it is rejected if ``refused`` is true; otherwise the attribute is ignored. ``instead`` is a message that
    explains what happens instead.
    """

    path: str
    kind: Kind
    default: Any
    help: str
    required: bool = False
    nullable: bool = False
    choices: tuple[Any, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    unit: str = ""
    pattern: str = ""
    offered: bool = True
    refused: bool = False
    instead: str = ""
    secret: bool = False


def attributes_of(
    section: type[Section], prefix: str = "", within: dict[str, Any] | None = None
) -> Iterator[Attribute]:
    """Yield all leaf attributes of ``section`` and of its nested sections. A list of sections is a leaf.

    ``prefix`` is added to the start of each path. If the section belongs to an unsupported attribute, ``within``
    contains the extra properties of that attribute, and all attributes in the section are unsupported as well.
    """
    for key, field in attributes(section):
        path = f"{prefix}{key}"
        mark = {**(within or {}), **extra_of(field)} if within and not within.get("offered", True) else extra_of(field)
        inner = sections_of(field.annotation)
        if len(inner) == 1:
            yield from attributes_of(inner[0], f"{path}.", mark if not mark.get("offered", True) else None)
        else:
            yield describe(path, field, mark)


def describe(path: str, field: FieldInfo, mark: dict[str, Any] | None = None) -> Attribute:
    """Return the :class:`Attribute` for a pydantic field. ``mark``, if given, replaces the field's extra properties."""
    mark = extra_of(field) if mark is None else mark
    minimum, maximum, pattern = _limits(field)
    return Attribute(
        path=path,
        kind=kind_of(field.annotation),
        default=None if field.is_required() else field.get_default(call_default_factory=True, validated_data={}),
        help=field.description or "",
        required=field.is_required(),
        nullable=is_nullable(field.annotation),
        choices=choices_of(field.annotation),
        minimum=minimum,
        maximum=maximum,
        unit=mark.get("unit", ""),
        pattern=pattern,
        offered=mark.get("offered", True),
        refused=mark.get("refused", False),
        instead=mark.get("instead", ""),
        secret=mark.get("secret", False),
    )


def kind_of(annotation: Any) -> Kind:
    """Return the kind of form field that a type needs."""
    annotation = bare(annotation)
    if annotation is bool:
        return "bool"
    if annotation is int:
        return "int"
    if annotation is str or annotation is Secret:
        return "str"
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) is tuple and bare(item_type(annotation)) is str:
        return "list[str]"
    return "json"


def choices_of(annotation: Any) -> tuple[Any, ...]:
    """Return the choices of a ``Literal`` type. Other types have none."""
    annotation = bare(annotation)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def extra_of(field: FieldInfo) -> dict[str, Any]:
    """Return the extra properties of a field, such as ``unit`` and ``secret``. They are set by ``setting()``."""
    return dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}


def expected(annotation: Any, field: FieldInfo | None) -> str:
    """Return a description of the allowed values, for messages."""
    note = extra_of(field).get("expected") if field and bare(field.annotation) is bare(annotation) else None
    text = note or _expected_kind(annotation, field)
    if annotation is Any or not is_nullable(annotation):
        return str(text)
    return f"{text}, or null" if "," in text or "(" in text else f"{text} or null"


def _expected_kind(annotation: Any, field: FieldInfo | None) -> str:
    kind = kind_of(annotation)
    if kind == "int":
        return _expected_integer(field)
    if kind == "choice":
        values = [f'"{value}"' if isinstance(value, str) else str(value) for value in choices_of(annotation)]
        return values[0] if len(values) == 1 else f"one of {', '.join(values)}"
    if kind == "json":
        annotation = bare(annotation)
        if annotation is Any:
            return "any JSON value"
        if get_origin(annotation) is tuple:
            return "a list of objects" if sections_of(item_type(annotation)) else "a list"
        return "an object"
    return {"bool": "true or false", "str": "a string", "list[str]": "a list of strings"}[kind]


def _expected_integer(field: FieldInfo | None) -> str:
    if field is None or kind_of(field.annotation) != "int":
        return "an integer"
    minimum, maximum, _ = _limits(field)
    unit = extra_of(field).get("unit")
    if minimum is None:
        limits = f" up to {maximum}" if maximum is not None else ""
    else:
        limits = f", {minimum} or more" if maximum is None else f" from {minimum} to {maximum}"
    return f"an integer{limits}{f' ({unit})' if unit else ''}"


def _limits(field: FieldInfo) -> tuple[int | None, int | None, str]:
    metadata = [*field.metadata]
    for argument in (field.annotation, *get_args(field.annotation)):
        for note in get_args(argument)[1:]:
            metadata += note.metadata if isinstance(note, FieldInfo) else [note]
    minimum = next((int(str(note.ge)) for note in metadata if isinstance(note, Ge)), None)
    maximum = next((int(str(note.le)) for note in metadata if isinstance(note, Le)), None)
    pattern = next((note.pattern for note in metadata if getattr(note, "pattern", None)), "")
    return minimum, maximum, str(pattern)
