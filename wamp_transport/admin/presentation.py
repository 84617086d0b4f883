"""Read-only views of a row next to its form: the row as JSON, and its unsupported attributes."""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from wamp_transport.admin.attribute_fields import ABSENT
from wamp_transport.admin.masking import MASK, masked
from wamp_transport.admin.row_form import put_at, value_at
from wamp_transport.config.attributes import Attribute


def json_of(mapping: Mapping[str, Any], attributes: Iterable[Attribute] = ()) -> SafeString:
    """Return a mapping as indented JSON. Secrets are masked, including the values of secret ``attributes``."""
    shown = masked(copy.deepcopy(dict(mapping)))
    for attribute in attributes:
        if attribute.secret and value_at(shown, attribute.path) is not ABSENT:
            put_at(shown, attribute.path, MASK)
    return format_html('<pre class="wamp-json">{}</pre>', json.dumps(shown, indent=2, ensure_ascii=False))


def not_offered(attributes: Sequence[Attribute], settings: Mapping[str, Any]) -> SafeString:
    """Return a table of the attributes that the schema contains, but that this version does not support.

    Attributes that ``settings`` contains are shown with their values, the others only by name.
    """
    others = [attribute for attribute in attributes if not attribute.offered]
    stored = [
        (attribute, "********" if attribute.secret else json.dumps(value, ensure_ascii=False))
        for attribute in others
        if (value := value_at(settings, attribute.path)) is not ABSENT
    ]
    kept = {attribute.path for attribute, _ in stored}
    offered = [attribute.path for attribute in attributes if attribute.offered]
    names = sorted({_topmost(attribute.path, offered) for attribute in others if attribute.path not in kept})
    return render_to_string("wamp_transport/admin/not_offered.html", {"stored": stored, "names": names})


def _topmost(path: str, offered: list[str]) -> str:
    """Return the shortest unsupported prefix of a path, for example ``cookie`` instead of each of its attributes."""
    steps = path.split(".")
    for length in range(1, len(steps)):
        part = ".".join(steps[:length])
        if not any(other.startswith(f"{part}.") for other in offered):
            return part
    return path
