"""Masking of secrets in forms.

Secrets are displayed as asterisks. If a form submits the asterisks unchanged, the stored secret is kept.
"""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext

from wamp_transport.config.secret import is_reference

MASK: Final = "********"

SECRETS: Final = frozenset({"ticket", "ticket_hash", "secret", "derived_key", "stored-key", "server-key", "router_key"})
"""The keys whose text values are secrets, in any section."""


def masked(value: Any) -> Any:
    """Return ``value`` with its secrets masked. References to environment variables are not secrets."""
    if isinstance(value, dict):
        return {key: MASK if _is_secret(key, each) else masked(each) for key, each in value.items()}
    return [masked(each) for each in value] if isinstance(value, list) else value


def unmasked(value: Any, stored: Any) -> Any:
    """Return ``value`` with asterisks replaced by the stored secrets. Raises ValidationError if no secret is stored."""
    if not isinstance(value, dict):
        return value
    old = stored if isinstance(stored, dict) else {}
    return {key: _restored(key, each, old.get(key)) for key, each in value.items()}


def _restored(key: str, value: Any, stored: Any) -> Any:
    if key not in SECRETS or value != MASK:
        return unmasked(value, stored)
    if not isinstance(stored, str):
        message = gettext("%(mask)s stands for a stored secret, but none is stored here: enter it.")
        raise forms.ValidationError(message % {"mask": MASK}, code="invalid")
    return stored


def _is_secret(key: str, value: Any) -> bool:
    return key in SECRETS and isinstance(value, str) and not is_reference(value)
