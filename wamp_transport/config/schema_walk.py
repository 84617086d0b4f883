"""Parallel traversal of data and schema, to find the section and attribute for each location in the data."""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from wamp_transport.config.report import Location
from wamp_transport.config.section import Section


@dataclass(frozen=True, slots=True)
class SchemaMatch:
    """A section found in the data: its model, its data, and its location."""

    section: type[Section]
    given: Mapping[str, Any]
    location: Location


@dataclass(frozen=True, slots=True)
class Place:
    """A location in the data, with the section, attribute and type that the schema defines for it."""

    location: Location
    section: type[Section] | None
    field: FieldInfo | None
    annotation: Any


def bare(annotation: Any) -> Any:
    """Return a type without ``Annotated`` and without ``None``."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not types.NoneType]
            if len(members) != 1:
                return Union[tuple(members)]  # noqa: UP007 - the members are only known at run time
            annotation = members[0]
        else:
            return annotation


def is_nullable(annotation: Any) -> bool:
    """Return whether a type allows null."""
    if get_origin(annotation) is Annotated:
        return is_nullable(get_args(annotation)[0])
    return annotation is Any or (
        get_origin(annotation) in (Union, types.UnionType) and types.NoneType in get_args(annotation)
    )


def sections_of(annotation: Any) -> tuple[type[Section], ...]:
    """Return the sections that a type allows. If there are several, the key ``type`` in the data selects one."""
    annotation = bare(annotation)
    members = get_args(annotation) if get_origin(annotation) is Union else (annotation,)
    return tuple(member for member in map(bare, members) if isinstance(member, type) and issubclass(member, Section))


def types_of(section: type[Section]) -> tuple[Any, ...]:
    """Return the allowed values of the section's ``type`` attribute; empty if it has no such attribute."""
    field = section.model_fields.get("type")
    annotation = bare(field.annotation) if field else None
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def choose(sections: tuple[type[Section], ...], kind: object) -> type[Section] | None:
    """Return the section whose ``type`` is ``kind``, or None. If there is only one section, return it for any kind."""
    if len(sections) == 1:
        return sections[0]
    for section in sections:
        if isinstance(kind, str) and kind in types_of(section):
            return section
    return None


def attributes(section: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the fields of the section as pairs of key and field. The key is the field's name in a configuration."""
    for name, field in section.model_fields.items():
        yield field.alias or name, field


def item_type(annotation: Any) -> Any:
    """Return the type of the items of a list, or of the values of an object; None for other types."""
    annotation = bare(annotation)
    arguments = get_args(annotation)
    if get_origin(annotation) is tuple:
        return arguments[0]
    return arguments[1] if get_origin(annotation) is dict else None


def sections_in(annotation: Any, value: object, location: Location = ()) -> Iterator[SchemaMatch]:
    """Yield all sections in ``value``, outer sections first. Data that does not fit the schema is skipped."""
    sections = sections_of(annotation)
    if sections:
        section = choose(sections, value.get("type")) if isinstance(value, dict) else None
        if section is None or not isinstance(value, dict):
            return
        yield SchemaMatch(section, value, location)
        for key, field in attributes(section):
            if key in value:
                yield from sections_in(field.annotation, value[key], (*location, key))
        return
    inner = item_type(annotation)
    if inner is None:
        return
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from sections_in(inner, item, (*location, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from sections_in(inner, item, (*location, key))


def place_at(annotation: Any, steps: tuple[str | int, ...]) -> Place:
    """Return the place to which a pydantic error belongs. ``steps`` is the location in the error (``loc``).

    If several sections are allowed, pydantic adds a step with the ``type`` of the selected section. These steps are
    removed from the location of the place.
    """
    location: list[str | int] = []
    section: type[Section] | None = None
    field: FieldInfo | None = None
    rest = list(steps)
    while rest:
        sections = sections_of(annotation)
        if len(sections) > 1:
            annotation = choose(sections, rest.pop(0))
            continue
        step = rest.pop(0)
        if step == "[key]":
            break
        location.append(step)
        if sections:
            section = sections[0]
            field = dict(attributes(section)).get(str(step))
            annotation = field.annotation if field else None
        else:
            annotation = item_type(annotation)
    return Place(tuple(location), section, field, annotation)
