"""The project's setting ``WAMP_TRANSPORT``. It is read once, and reread if a test overrides it.

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
``CLUSTER``
    A mapping with the settings of the cluster. All processes with the same cluster form one router, which they connect
    through Redis. Without this setting, each process is a standalone router.

    - ``NAME``: the name of the cluster, such as ``shop-production``; required. Use different names for production,
      staging and each developer.
    - ``URL``: the Redis server (``redis:``, ``rediss:`` or ``unix:``). It can be omitted if ``CHANNEL_LAYERS`` uses
      channels_redis with one server: the default is the same server.
    - ``KEY``: the secret that separates the clusters of different projects. The default is Django's ``SECRET_KEY``. Set
      it before you change ``SECRET_KEY``; otherwise, processes with the old and the new key form two routers.
    - ``LEASE``: the time in seconds after which a process that has died is removed, from 5 to 300: 10 by default.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import quote

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .cluster.keys import key_prefix
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
    "CLUSTER",
)
API_TEXTS = ("REALM", "ROLE", "AUTHID", "URL", "TICKET", "SECRET")
API_KEYS = (*API_TEXTS, "TIMEOUT")
CLUSTER_KEYS = ("NAME", "URL", "KEY", "LEASE")
CLUSTER_SCHEMES: Final = ("redis://", "rediss://", "unix://")
DEFAULT_LEASE_SECONDS: Final = 10.0
MIN_LEASE_SECONDS: Final = 5
MAX_LEASE_SECONDS: Final = 300
CHANNELS_REDIS: Final = "channels_redis."
"""The beginning of the dotted paths of the channel layers in channels_redis."""
DEFAULT_REDIS_URL: Final = "redis://localhost:6379"
"""The server that channels_redis uses if its setting ``hosts`` is absent."""
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
class ClusterSettings:
    """The settings of the cluster that this process joins. ``lease`` is in seconds."""

    name: str
    url: str = field(repr=False)  # it can contain a password
    key: str = field(repr=False)
    lease: float = DEFAULT_LEASE_SECONDS


@dataclass(frozen=True, slots=True)
class AppSettings:
    """The project's settings for this app. ``faults`` describes the invalid settings, which a system check reports.

    ``cluster`` is None if there is no cluster, or if its settings are invalid. In the second case,
    ``is_cluster_invalid`` is true, and the process must not serve as a standalone router.
    """

    config: str | os.PathLike[str] | Mapping[str, Any] | None = None
    faults: tuple[str, ...] = ()
    hooks: Mapping[str, str | Hook] = field(default_factory=dict)
    local_operators: bool = True
    audit_days: int = 90
    handler_threads: int = 8
    busy_poll_microseconds: int = 100
    api: ApiSettings = ApiSettings()
    change_hints: bool = True
    cluster: ClusterSettings | None = None
    is_cluster_invalid: bool = False

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
    fault_count = len(faults)
    cluster = _cluster_settings(values.get("CLUSTER"), faults)
    return AppSettings(
        config,
        tuple(faults),
        hooks,
        local_operators,
        audit_days,
        handler_threads,
        microseconds,
        api,
        change_hints,
        cluster,
        is_cluster_invalid=len(faults) > fault_count,
    )


def _unknown_key(key: object) -> str:
    if isinstance(key, str) and key in RENAMED_KEYS:
        return f"settings.{SETTING_NAME}[{key!r}] is now {RENAMED_KEYS[key]}"
    return f"settings.{SETTING_NAME} has no key {key!r}; the keys are {', '.join(SETTING_KEYS)}"


def _switch(values: Mapping[str, Any], key: str, faults: list[str]) -> bool:
    """Return the value of a setting that is True by default. An invalid value is treated as False."""
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


def _cluster_settings(values: object, faults: list[str]) -> ClusterSettings | None:
    """Return the settings of the cluster, or None if there is no cluster or the settings are invalid."""
    setting = f"settings.{SETTING_NAME}['CLUSTER']"
    if values is None:
        return None
    if not isinstance(values, Mapping):
        faults.append(f"{setting} must be a dictionary, not {type(values).__name__}")
        return None
    fault_count = len(faults)
    faults += [
        f"{setting} has no key {key!r}; the keys are {', '.join(CLUSTER_KEYS)}"
        for key in values
        if key not in CLUSTER_KEYS
    ]
    key = values.get("KEY")
    if key is None:
        key = settings.SECRET_KEY
    elif not isinstance(key, str) or not key:
        faults.append(f"{setting}['KEY'] must be a non-empty string")
    name = values.get("NAME")
    if not isinstance(name, str) or not name:
        faults.append(f"{setting} must have a NAME, such as 'shop-production'")
    else:
        try:
            key_prefix(name, "")
        except ValueError as error:
            faults.append(f"{setting}['NAME']: {error}")
    lease = values.get("LEASE", DEFAULT_LEASE_SECONDS)
    is_number = isinstance(lease, int | float) and not isinstance(lease, bool)
    if not is_number or not MIN_LEASE_SECONDS <= lease <= MAX_LEASE_SECONDS:
        allowed = f"a number of seconds from {MIN_LEASE_SECONDS} to {MAX_LEASE_SECONDS}"
        faults.append(f"{setting}['LEASE'] must be {allowed}")
    url = values.get("URL")
    if url is None:
        url = _url_of_channel_layer(setting, faults)
    elif not isinstance(url, str) or not url.startswith(CLUSTER_SCHEMES):
        faults.append(f"{setting}['URL'] must begin with {', '.join(CLUSTER_SCHEMES[:-1])} or {CLUSTER_SCHEMES[-1]}")
    return ClusterSettings(name, url, key, float(lease)) if len(faults) == fault_count else None  # type: ignore[arg-type]


def _url_of_channel_layer(setting: str, faults: list[str]) -> str:
    """Return the URL of the Redis server in CHANNEL_LAYERS. If there is none, return "" and add a fault."""
    layer = getattr(settings, "CHANNEL_LAYERS", {}).get("default", {})
    if not str(layer.get("BACKEND", "")).startswith(CHANNELS_REDIS):
        faults.append(
            f"{setting} must have a URL, such as 'redis://127.0.0.1:6379/0': CHANNEL_LAYERS has no Redis server"
        )
        return ""
    hosts = layer.get("CONFIG", {}).get("hosts") or [DEFAULT_REDIS_URL]
    url = _url_of_host(hosts[0]) if isinstance(hosts, list | tuple) and len(hosts) == 1 else ""
    if not url:
        faults.append(f"{setting} must have a URL: the 'hosts' in CHANNEL_LAYERS are not a single URL, host and port")
    return url


def _url_of_host(host: object) -> str:
    """Return the URL for an entry of ``hosts`` in CHANNEL_LAYERS; an empty string if it has other options."""
    if isinstance(host, Mapping):
        if host.keys() == {"address"}:
            host = host["address"]
        elif {"host"} <= host.keys() <= {"host", "port", "db", "username", "password"}:
            user, password = (quote(str(host.get(key) or ""), safe="") for key in ("username", "password"))
            login = f"{user}:{password}@" if user or password else ""
            return f"redis://{login}{host['host']}:{host.get('port', 6379)}/{host.get('db', 0)}"
    if isinstance(host, list | tuple) and len(host) == 2:
        return f"redis://{host[0]}:{host[1]}"
    return host if isinstance(host, str) and host.startswith(CLUSTER_SCHEMES) else ""


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting in (SETTING_NAME, "CHANNEL_LAYERS", "SECRET_KEY"):
        app_settings.cache_clear()


setting_changed.connect(_forget, dispatch_uid="wamp_transport.conf")
