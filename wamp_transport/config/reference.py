"""Conversion of the schema to a Markdown reference page and to a JSON Schema for editors."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

from wamp_transport.config.attributes import Attribute, describe, expected
from wamp_transport.config.node import Node
from wamp_transport.config.paths import PathTree
from wamp_transport.config.schema_walk import attributes, item_type, sections_of, types_of
from wamp_transport.config.section import Section

_HEAD = """# Configuration reference

Generated from the schema. A node is configured by a `config.json` of version 2, or by a mapping of the same form.
The column **offered** shows whether the router supports a key. *ignored*: the key is accepted, but has no effect, and
this is reported. *refused*: a configuration with this key is not used. Unknown keys are refused."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a node configuration. It uses the extension keywords ``offered`` and ``instead``."""
    schema = Node.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "wampnode configuration", **schema}


def markdown() -> str:
    """Return the reference page. It contains each section once, with its attributes."""
    parts = [_HEAD]
    parts += [_section_text(section, places) for section, places in _sections()]
    return "\n".join(parts)


def unoffered() -> Iterator[tuple[str, list[str], bool, str]]:
    """Yield the parts of a Crossbar configuration that this router does not support.

    Each item contains the key path of a section, the section's unsupported keys (none if the whole section is
    unsupported), whether they are refused, and an explanation. Keys with the same explanation share an item.
    """
    for section, places in _sections():
        place = places[0] if places else ""
        whole = section.unoffered
        if whole is not None:
            kinds = " ".join(map(str, types_of(section)))
            yield (
                f"{place} {kinds}".strip(),
                [],
                whole.level == "fault",
                whole.message.replace('of type "{type}"', "of these types"),
            )
            continue
        reasons: dict[tuple[bool, str], list[str]] = {}
        for key, field in attributes(section):
            attribute = describe(key, field)
            if not attribute.offered:
                reasons.setdefault((attribute.refused, attribute.instead), []).append(key)
        for (refused, instead), keys in reasons.items():
            yield place, keys, refused, instead


def _sections() -> list[tuple[type[Section], list[str]]]:
    """Return all sections in the order of the page, each with the key paths at which it can be used."""
    places: dict[type[Section], list[str]] = {}
    _collect(Node, "", places)
    return list(places.items())


def _collect(section: type[Section], path: str, places: dict[type[Section], list[str]]) -> None:
    known = section in places
    if path not in places.setdefault(section, []):
        places[section].append(path)
    if known or section is PathTree:
        return
    for inner, below in _inner(section, path):
        for one in inner:
            _collect(one, below, places)


def _inner(section: type[Section], path: str) -> Iterator[tuple[tuple[type[Section], ...], str]]:
    """For each attribute that contains sections, yield these sections and the key path of the attribute."""
    for key, field in attributes(section):
        below = f"{path}.{key}" if path else key
        inner = sections_of(field.annotation)
        item = item_type(field.annotation)
        if not inner and item is not None:
            inner = sections_of(item)
            below += "[]" if not key.endswith("paths") else ".*"
        if inner:
            yield inner, below


def _section_text(section: type[Section], places: list[str]) -> str:
    kinds = types_of(section)
    title = section.__name__ if not kinds else f"{section.__name__}: type {', '.join(map(str, kinds))}"
    lines = [f"## {title}", "", inspect.cleandoc(section.__doc__ or ""), ""]
    lines += [f"At {', '.join(f'`{place}`' for place in places if place)}.", ""] if any(places) else []
    unoffered = section.unoffered
    if unoffered is not None:
        what = "Refused" if unoffered.level == "fault" else "Ignored"
        lines += [f"{what}: {unoffered.message.format(type=kinds[0] if len(kinds) == 1 else '...')}.", ""]
        return "\n".join(lines)
    lines += ["| key | values | default | offered | meaning |", "|---|---|---|---|---|"]
    lines += [_row(section, key) for key, _ in attributes(section)]
    return "\n".join([*lines, ""])


def _row(section: type[Section], key: str) -> str:
    field = dict(attributes(section))[key]
    attribute = describe(key, field)
    inner = sections_of(field.annotation) or sections_of(item_type(field.annotation))
    values = expected(field.annotation, field)
    if inner:
        values += f" ({', '.join(one.__name__ for one in inner)})"
    default = "required" if attribute.required else f"`{_default(attribute.default)}`"
    cells = [f"`{key}`", values, default, _offered(attribute), attribute.help]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _offered(attribute: Attribute) -> str:
    if attribute.offered:
        return "yes"
    return f"{'refused' if attribute.refused else 'ignored'}: {attribute.instead}"


def _default(value: Any) -> str:
    if isinstance(value, Section):
        return "{}" if not value.model_fields_set else json.dumps(value.model_dump(mode="json", by_alias=True))
    return json.dumps(value)
