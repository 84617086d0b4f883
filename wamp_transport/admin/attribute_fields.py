"""Form fields for attributes of the schema, and the conversion between their values and text.

Text that is not a valid value is returned unchanged, and the schema's validation reports it with the expected type.
For attributes that contain JSON, invalid text raises ValidationError instead.
"""

import json
import re
from typing import Any, Final

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wamp_transport.config.attributes import Attribute
from wamp_transport.config.auth_methods import SCRAM, WAMPCRA

PREFIX: Final = "attr_"

ABSENT: Final = object()
"""The marker for an attribute that is not given."""

_LABELS = {"auth.anonymous.type": _("Anonymous login"), "options.enable_webstatus": _("Status page")}
_SPELLINGS = {
    "id": "ID",
    "url": "URL",
    "utf8": "UTF-8",
    "tcp": "TCP",
    "tls": "TLS",
    "ca": "CA",
    "hsts": "HSTS",
    "dhparam": "DH parameters",
    "mime": "MIME",
    "uri": "URI",
    WAMPCRA.name: WAMPCRA.label,
    SCRAM.name: SCRAM.label,
    "rfc6455": "RFC 6455",
    "websocket": "WebSocket",
    "closehandshake": "close handshake",
}
_UNSAID = ("options", "auth", "endpoint")
_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,40})\s*", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None}


def field_name(attribute: Attribute) -> str:
    """Return the name of the form field for an attribute."""
    return PREFIX + attribute.path.replace(".", "__").replace("-", "_")


def label_of(attribute: Attribute) -> str:
    """Return the label of the form field for an attribute."""
    if attribute.path in _LABELS:
        return str(_LABELS[attribute.path])
    words = [word for step in attribute.path.split(".") if step not in _UNSAID for word in re.split("[_-]", step)]
    text = " ".join(_SPELLINGS.get(word, word) for word in words)
    return gettext(text[:1].upper() + text[1:])


def to_text(attribute: Attribute, value: Any) -> str:
    """Return the text that the form shows for a value.

    It is empty if the value is not given, or if it is null and null is also the default.
    """
    if value is ABSENT or (value is None and attribute.default is None and not attribute.required):
        return ""
    if attribute.kind == "list[str]" and isinstance(value, list | tuple) and value:
        if all(isinstance(item, str) for item in value):
            return "\n".join(value)
    elif isinstance(value, str) and attribute.kind in ("str", "int", "choice"):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2 if attribute.kind == "json" else None)


def from_text(attribute: Attribute, text: str) -> Any:
    """Return the value that a text represents; ``ABSENT`` if the text is blank.

    If the text is invalid, return it unchanged or, if the attribute contains JSON, raise ValidationError.
    """
    if not text.strip():
        return ABSENT
    if attribute.kind == "str":
        return text
    if attribute.kind == "json":
        return _json(text)
    if attribute.kind == "list[str]":
        return [] if text.strip() == "[]" else [line.strip() for line in text.splitlines() if line.strip()]
    if attribute.kind == "choice":
        return next((choice for choice in attribute.choices if to_text(attribute, choice) == text), text)
    if attribute.kind == "int" and (found := _INTEGER.fullmatch(text)):
        return int(found[1])
    return _WORDS.get(text.strip(), text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = gettext("Not valid JSON: line %(line)d, column %(column)d: %(fault)s")
        place = {"line": error.lineno, "column": error.colno, "fault": error.msg}
        raise forms.ValidationError(message % place, code="invalid") from None
    except (RecursionError, ValueError):
        raise forms.ValidationError(
            gettext("Nested too deeply, or a number with too many digits."), "invalid"
        ) from None


class AttributeField(forms.CharField):
    """The form field for an attribute. If the field is empty, the attribute is not given and its default applies."""

    def __init__(self, attribute: Attribute) -> None:
        self.attribute = attribute
        super().__init__(
            required=attribute.required and "." not in attribute.path,
            strip=False,
            label=label_of(attribute),
            help_text=_help(attribute, _shown(attribute)),
            widget=_widget(attribute),
        )

    def show_default(self, text: str) -> None:
        """Show ``text`` as the default value of this choice field, instead of the default in the schema."""
        select: Any = self.widget
        select.choices = [("", gettext("Default (%s)") % text), *select.choices[1:]]
        self.help_text = _help(self.attribute, text)

    def validate(self, value: Any) -> None:
        """Do nothing. The schema's validation reports missing values."""

    def to_python(self, value: Any) -> str:
        """Return the text with normalized line endings."""
        return (super().to_python(value) or "").replace("\r\n", "\n").replace("\r", "\n")

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether the submitted text differs from the initial one."""
        return self.to_python(initial) != self.to_python(data)


def _widget(attribute: Attribute) -> forms.Widget:
    default = "" if attribute.default is None else to_text(attribute, attribute.default)
    if attribute.kind in ("bool", "choice"):
        return forms.Select(choices=_choices(attribute), attrs={"class": "wamp-choice"})
    if attribute.kind in ("list[str]", "json"):
        rows = 3 if attribute.kind == "list[str]" else 6
        placeholder = default if attribute.kind == "list[str]" else ""
        return AdminTextareaWidget(
            {"rows": rows, "placeholder": placeholder, "class": "wamp-text", "spellcheck": "false"}
        )
    if attribute.kind == "int" and (not attribute.nullable or attribute.default is None):
        limits = {"min": attribute.minimum, "max": attribute.maximum, "placeholder": default, "class": "wamp-number"}
        return forms.NumberInput({name: limit for name, limit in limits.items() if limit is not None})
    kind = "wamp-number" if attribute.kind == "int" else "vTextField"
    return AdminTextInputWidget({"placeholder": default, "class": kind, "spellcheck": "false"})


def _choices(attribute: Attribute) -> list[tuple[str, str]]:
    default = _shown(attribute)
    first = gettext("Default (%s)") % default if default else gettext("Default")
    if attribute.kind == "bool":
        return [("", first), ("true", gettext("Yes")), ("false", gettext("No"))]
    values = [to_text(attribute, choice) for choice in attribute.choices]
    return [("", first), *((value, value) for value in values)]


def _shown(attribute: Attribute) -> str:
    """Return a description of the attribute's default; empty if there is none."""
    default = attribute.default
    if isinstance(default, bool):
        return gettext("yes") if default else gettext("no")
    if default is None or default in ("", (), {}):
        return ""
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    return f"{default} {attribute.unit}".strip()


def _help(attribute: Attribute, default: str) -> SafeString:
    return format_html(
        '{} {}<span class="wamp-key">{}</span>',
        gettext(attribute.help).replace("Null: ", "Empty: " if attribute.default is None else "null: "),
        format_html('<span class="wamp-default">{}</span> ', gettext("Default: %s.") % default) if default else "",
        attribute.path,
    )
