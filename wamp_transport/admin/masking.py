"""Secrets in forms: shown as stars, which stand for what is stored when they come back."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext

from wamp_transport.config.secret import is_reference

MASK: Final = "********"

SECRETS: Final = frozenset({"ticket", "ticket_hash", "secret", "derived_key", "stored-key", "server-key", "router_key"})
"""Keys whose texts are secrets, wherever they are."""


def masked(value: Any) -> Any:
    """``value`` without its secrets. What only names a variable of the environment is none."""
    if isinstance(value, dict):
        return {key: MASK if _is_secret(key, each) else masked(each) for key, each in value.items()}
    return [masked(each) for each in value] if isinstance(value, list) else value


def unmasked(value: Any, stored: Any) -> Any:
    """``value`` with the stored secrets where it has stars. Raises ValidationError where none is stored."""
    if not isinstance(value, dict):
        return value
    old = stored if isinstance(stored, dict) else {}
    return {key: _restored(key, each, old.get(key)) for key, each in value.items()}


def _restored(key: str, value: Any, stored: Any) -> Any:
    if key not in SECRETS or value != MASK:
        return unmasked(value, stored)
    if not isinstance(stored, str):
        message = gettext("%(mask)s stands for a secret that is stored, and here none is: enter it.")
        raise forms.ValidationError(message % {"mask": MASK}, code="invalid")
    return stored


def _is_secret(key: str, value: Any) -> bool:
    return key in SECRETS and isinstance(value, str) and not is_reference(value)
