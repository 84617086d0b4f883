"""``settings.WAMP_TRANSPORT``, read once and again when a test changes it.

Keys: ``CONFIG``, the path of a Crossbar node directory, ``.crossbar`` directory or configuration file, or a mapping
of the same form; without it the configuration is in the database.

Hooks, each a callable or its dotted path, called in a thread: ``USER_AUTHID(user)`` returns the authid of a Django
user instead of the username. ``USER_ROLE(user, realm)`` returns the role there, or None to leave it to the table in
the admin. ``TOKEN_VERIFIER(token, details)`` is shown what is no token of :mod:`wamp_transport.tokens`, such as a JWT:
it returns None, or a mapping with ``user`` (a Django user) or ``authid`` and ``role``, and ``realm`` and ``extra`` if
it wants. A login for which they take more than eight seconds is denied.

``OPERATORS``: whether ``manage.py wamp`` reaches the nodes of its host with no credential but this project's
settings and database, True by default. ``AUDIT_DAYS``: how long the audit trail is kept, 90 by default; 0 keeps none.
``HANDLER_THREADS``: how many threads run the synchronous handlers of the apps' ``wamp.py`` modules, 8 by default.
``BUSY_POLL``: microseconds, up to 1,000, for which a node stays awake where messages follow each other that quickly;
100 by default, 0 for none.

For :mod:`wamp_transport.api`: ``REALM``, the realm of Django code, without which it is the only one there is; ``ROLE``,
its role in the serving process, ``trusted`` by default, which may do everything; ``AUTHID``, its name, ``django`` by
default; ``TIMEOUT``, the seconds it waits for an answer, 30 by default, None for ever. ``URL``: the router of a process
that serves nobody (``ws:`` or ``wss:``), where Django code is anonymous, or ``AUTHID`` with a ``TICKET`` or the
``SECRET`` of WAMP-CRA.
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

SETTING = "WAMP_TRANSPORT"
HOOKS = ("USER_AUTHID", "USER_ROLE", "TOKEN_VERIFIER")
API_TEXTS = ("REALM", "ROLE", "AUTHID", "URL", "TICKET", "SECRET")
KEYS = ("CONFIG", *HOOKS, "OPERATORS", "AUDIT_DAYS", "HANDLER_THREADS", "BUSY_POLL", *API_TEXTS, "TIMEOUT")

Hook = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Who Django code is, and where it finds a router. ``timeout``: seconds; None waits for ever."""

    realm: str | None = None
    role: str | None = None
    authid: str | None = None
    url: str | None = None
    ticket: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    timeout: float | None = 30.0


@dataclass(frozen=True, slots=True)
class AppSettings:
    """What the project's settings say about this app. ``faults`` are sentences for a system check."""

    config: str | os.PathLike[str] | Mapping[str, Any] | None = None
    faults: tuple[str, ...] = ()
    hooks: Mapping[str, str | Hook] = field(default_factory=dict)
    operators: bool = True
    audit_days: int = 90
    handler_threads: int = 8
    busy_poll: int = 100
    api: ApiSettings = ApiSettings()

    def hook(self, name: str) -> Hook | None:
        """A hook of the project, if it has one. Raises ImportError where there is nothing at its path."""
        given = self.hooks.get(name)
        return call_guarded(import_string, given) if isinstance(given, str) else given


@cache
def app_settings() -> AppSettings:
    """The settings as they are; what is wrong with them is told, not raised."""
    given = getattr(settings, SETTING, {})
    if not isinstance(given, Mapping):
        return AppSettings(faults=(f"settings.{SETTING} must be a dictionary, not {type(given).__name__}",))
    faults = [f"settings.{SETTING} has no key {key!r}; it knows {', '.join(KEYS)}" for key in given if key not in KEYS]
    config = given.get("CONFIG")
    if config is not None and not isinstance(config, str | os.PathLike | Mapping):
        faults.append(f"settings.{SETTING}['CONFIG'] must be a path or a dictionary, not {type(config).__name__}")
        config = None
    hooks = {name: given[name] for name in HOOKS if given.get(name) is not None}
    for name, hook in list(hooks.items()):
        if not callable(hook) and not (isinstance(hook, str) and "." in hook):
            faults.append(f"settings.{SETTING}[{name!r}] must be a callable or its dotted path")
            del hooks[name]
    operators = given.get("OPERATORS", True)
    if not isinstance(operators, bool):
        faults.append(f"settings.{SETTING}['OPERATORS'] must be True or False")
        operators = False
    days = given.get("AUDIT_DAYS", 90)
    if not isinstance(days, int) or isinstance(days, bool) or days < 0:
        faults.append(f"settings.{SETTING}['AUDIT_DAYS'] must be a number of days, 0 for none")
        days = 90
    threads = given.get("HANDLER_THREADS", 8)
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        faults.append(f"settings.{SETTING}['HANDLER_THREADS'] must be a number of threads, 1 or more")
        threads = 8
    busy = given.get("BUSY_POLL", 100)
    if not isinstance(busy, int) or isinstance(busy, bool) or not 0 <= busy <= 1000:
        faults.append(f"settings.{SETTING}['BUSY_POLL'] must be a number of microseconds from 0 to 1000")
        busy = 100
    api = _api_settings(given, faults)
    return AppSettings(config, tuple(faults), hooks, operators, days, threads, busy, api)


def _api_settings(given: Mapping[str, Any], faults: list[str]) -> ApiSettings:
    texts = {name: given[name] for name in API_TEXTS if given.get(name) is not None}
    for name, value in list(texts.items()):
        if not isinstance(value, str) or not value:
            faults.append(f"settings.{SETTING}[{name!r}] must be a text that is not empty")
            del texts[name]
    if "URL" in texts and not texts["URL"].startswith(("ws://", "wss://")):
        faults.append(f"settings.{SETTING}['URL'] must begin with ws:// or wss://")
        del texts["URL"]
    if "TICKET" in texts and "SECRET" in texts:
        faults.append(f"settings.{SETTING} has a TICKET and a SECRET; a session proves who it is by one of them")
    elif ("TICKET" in texts or "SECRET" in texts) and "AUTHID" not in texts:
        faults.append(f"settings.{SETTING} has a TICKET or a SECRET, and no AUTHID that it belongs to")
    timeout = given.get("TIMEOUT", 30.0)
    if timeout is not None and (not isinstance(timeout, int | float) or isinstance(timeout, bool) or timeout <= 0):
        faults.append(f"settings.{SETTING}['TIMEOUT'] must be a number of seconds, or None to wait for ever")
        timeout = 30.0
    return ApiSettings(**{name.lower(): value for name, value in texts.items()}, timeout=timeout)


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == SETTING:
        app_settings.cache_clear()


setting_changed.connect(_forget, dispatch_uid="wamp_transport.conf")
