"""The project's setting ``WAMP_TRANSPORT``. It is read once, and again if a test overrides it.

``CONFIG``
    The path of a Crossbar node directory, of its ``.crossbar`` directory or of a configuration file; or a mapping with
    the same structure. Without it, the configuration is read from the database.
``USER_AUTHID``, ``USER_ROLE``, ``TOKEN_VERIFIER``
    Hooks, each a callable or the dotted path of a callable. They are called in a thread. If a hook takes longer than
    eight seconds, the login is denied. ``USER_AUTHID(user)`` returns the authid of a Django user; the default is the
    username. ``USER_ROLE(user, realm)`` returns the user's role in the realm, or None to use the table in the admin.
    ``TOKEN_VERIFIER(token, details)`` is called with each token that :mod:`wamp_transport.tokens` did not create, such
    as a JWT. It returns None to deny the login, or a mapping. The mapping contains either ``user`` (a Django user), or
    both ``authid`` and ``role``. It can also contain ``realm`` and ``extra``.
``LOCAL_OPERATORS``
    Whether ``manage.py wamp`` may connect to nodes on the same host without credentials, using only this
    project's settings and database. True by default.
``AUDIT_DAYS``
    The number of days that entries of the audit trail are kept: 90 by default, 0 for no audit trail.
``HANDLER_THREADS``
    The number of threads for synchronous handlers of the apps' ``wamp.py`` modules: 8 by default.
``BUSY_POLL_MICROSECONDS``
    The time in microseconds for which a node polls for the next message before it sleeps, from 0 (never) to 1,000: 100
    by default. A node polls only while messages arrive at intervals shorter than this.
``CHANGE_HINTS``
    Whether processes send each other hints about changes in the database over the default channel layer, which the
    setting ``CHANNEL_LAYERS`` defines. True by default. See ``docs/live-changes.md``.
``API``
    A mapping with the settings of :mod:`wamp_transport.api`:

    - ``REALM``: the realm to use. It can be omitted if there is only one realm.
    - ``ROLE``: the role in the serving process. The default is ``trusted``, which may do everything.
    - ``AUTHID``: the authid of the session, ``django`` by default.
    - ``TIMEOUT``: the seconds to wait for an answer. The default is 30; None means no limit.
    - ``URL``: the router (``ws:`` or ``wss:``) that a process without a node connects to.
    - ``TICKET`` or ``SECRET``: the ticket, or the secret for WAMP-CRA, with which such a process logs in as ``AUTHID``.
      Without either, it logs in anonymously.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .project_code import call_guarded

SETTING_NAME = "WAMP_TRANSPORT"
HOOK_KEYS = ("USER_AUTHID", "USER_ROLE", "TOKEN_VERIFIER")
SETTING_KEYS = (
    "CONFIG",
    *HOOK_KEYS,
    "LOCAL_OPERATORS",
    "AUDIT_DAYS",
    "HANDLER_THREADS",
    "BUSY_POLL_MICROSECONDS",
    "CHANGE_HINTS",
    "API",
)
API_TEXTS = ("REALM", "ROLE", "AUTHID", "URL", "TICKET", "SECRET")
API_KEYS = (*API_TEXTS, "TIMEOUT")
RENAMED_KEYS = {
    "OPERATORS": "'LOCAL_OPERATORS'",
    "BUSY_POLL": "'BUSY_POLL_MICROSECONDS'",
    **{key: f"{key!r} in the mapping 'API'" for key in API_KEYS},
}
"""The replacements of keys that had another name in earlier versions, for error messages."""

Hook = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The settings of :mod:`wamp_transport.api`. ``timeout`` is in seconds; None means no limit."""

    realm: str | None = None
    role: str | None = None
    authid: str | None = None
    url: str | None = None
    ticket: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    timeout: float | None = 30.0


@dataclass(frozen=True, slots=True)
class AppSettings:
    """The project's settings for this app. ``faults`` describes the invalid settings, which a system check reports."""

    config: str | os.PathLike[str] | Mapping[str, Any] | None = None
    faults: tuple[str, ...] = ()
    hooks: Mapping[str, str | Hook] = field(default_factory=dict)
    local_operators: bool = True
    audit_days: int = 90
    handler_threads: int = 8
    busy_poll_microseconds: int = 100
    api: ApiSettings = ApiSettings()
    change_hints: bool = True

    def hook(self, name: str) -> Hook | None:
        """Return a hook of the project, or None if it is not set.

        Raises ImportError if its path cannot be imported, and any other exception that its module raises.
        """
        hook = self.hooks.get(name)
        return call_guarded(import_string, hook) if isinstance(hook, str) else hook


@cache
def app_settings() -> AppSettings:
    """Return the current settings. Invalid settings raise no exception, but are described in ``faults``."""
    values = getattr(settings, SETTING_NAME, {})
    if not isinstance(values, Mapping):
        return AppSettings(faults=(f"settings.{SETTING_NAME} must be a dictionary, not {type(values).__name__}",))
    faults = [_unknown_key(key) for key in values if key not in SETTING_KEYS]
    config = values.get("CONFIG")
    if config is not None and not isinstance(config, str | os.PathLike | Mapping):
        faults.append(f"settings.{SETTING_NAME}['CONFIG'] must be a path or a dictionary, not {type(config).__name__}")
        config = None
    hooks = {name: values[name] for name in HOOK_KEYS if values.get(name) is not None}
    for name, hook in list(hooks.items()):
        if not callable(hook) and not (isinstance(hook, str) and "." in hook):
            faults.append(f"settings.{SETTING_NAME}[{name!r}] must be a callable or its dotted path")
            del hooks[name]
    # An invalid value must not admit operators.
    local_operators = _switch(values, "LOCAL_OPERATORS", faults)
    audit_days = _number(values, "AUDIT_DAYS", 90, range(2**31), "days, 0 for no audit trail", faults)
    handler_threads = _number(values, "HANDLER_THREADS", 8, range(1, 2**31), "threads, 1 or more", faults)
    microseconds = _number(values, "BUSY_POLL_MICROSECONDS", 100, range(1001), "microseconds from 0 to 1000", faults)
    change_hints = _switch(values, "CHANGE_HINTS", faults)
    api = _api_settings(values.get("API"), faults)
    numbers = (audit_days, handler_threads, microseconds)
    return AppSettings(config, tuple(faults), hooks, local_operators, *numbers, api, change_hints)


def _unknown_key(key: object) -> str:
    if isinstance(key, str) and key in RENAMED_KEYS:
        return f"settings.{SETTING_NAME}[{key!r}] is now {RENAMED_KEYS[key]}"
    return f"settings.{SETTING_NAME} has no key {key!r}; the keys are {', '.join(SETTING_KEYS)}"


def _switch(values: Mapping[str, Any], key: str, faults: list[str]) -> bool:
    """Return the value of a setting that is True by default. An invalid value counts as False."""
    value = values.get(key, True)
    if isinstance(value, bool):
        return value
    faults.append(f"settings.{SETTING_NAME}[{key!r}] must be True or False")
    return False


def _number(values: Mapping[str, Any], key: str, default: int, allowed: range, unit: str, faults: list[str]) -> int:
    value = values.get(key, default)
    if isinstance(value, int) and not isinstance(value, bool) and value in allowed:
        return value
    faults.append(f"settings.{SETTING_NAME}[{key!r}] must be a number of {unit}")
    return default


def _api_settings(values: object, faults: list[str]) -> ApiSettings:
    name = f"settings.{SETTING_NAME}['API']"
    if values is None:
        return ApiSettings()
    if not isinstance(values, Mapping):
        faults.append(f"{name} must be a dictionary, not {type(values).__name__}")
        return ApiSettings()
    faults += [
        f"{name} has no key {key!r}; the keys are {', '.join(API_KEYS)}" for key in values if key not in API_KEYS
    ]
    texts = {key: values[key] for key in API_TEXTS if values.get(key) is not None}
    for key, value in list(texts.items()):
        if not isinstance(value, str) or not value:
            faults.append(f"{name}[{key!r}] must be a non-empty string")
            del texts[key]
    if "URL" in texts and not texts["URL"].startswith(("ws://", "wss://")):
        faults.append(f"{name}['URL'] must begin with ws:// or wss://")
        del texts["URL"]
    if "TICKET" in texts and "SECRET" in texts:
        faults.append(f"{name} has both TICKET and SECRET; a session logs in with one of them")
    elif ("TICKET" in texts or "SECRET" in texts) and "AUTHID" not in texts:
        faults.append(f"{name} has a TICKET or a SECRET, but not the AUTHID that it belongs to")
    timeout = values.get("TIMEOUT", 30.0)
    if timeout is not None and (not isinstance(timeout, int | float) or isinstance(timeout, bool) or timeout <= 0):
        faults.append(f"{name}['TIMEOUT'] must be a number of seconds, or None to wait forever")
        timeout = 30.0
    return ApiSettings(**{key.lower(): value for key, value in texts.items()}, timeout=timeout)


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING_NAME:
        app_settings.cache_clear()


setting_changed.connect(_forget, dispatch_uid="wamp_transport.conf")
