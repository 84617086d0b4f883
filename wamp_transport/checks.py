"""The system checks of this app. The ids of the checks must not change, because projects can silence checks by id."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import DatabaseError

from .bootstrap.cluster import find_url_fault, unshared_stores
from .bootstrap.other_nodes import ADVICE, NOT_SHARED, described
from .bootstrap.redis_server import find_unprotected
from .bootstrap.sources import DatabaseSource, choose_source, has_command_configuration
from .bootstrap.threads import Functions
from .compat.requirements import release
from .compat.serving import find_problems
from .compat.versions import DAPHNE, LIBRARIES
from .conf import app_settings
from .config.auth_methods import DJANGO_SESSION
from .config.configuration import Configuration, anonymous_login
from .config.report import ConfigError
from .config.websocket import WebSocketSection
from .handlers.discovery import discover
from .models import RunningNode, has_users
from .stores import nodes
from .stores.identity import user_roles
from .transports.unsupported_options import describe_unsupported

MIN_SAFE_DAPHNE = "4.2.2"
"""The first version of Daphne without known vulnerabilities."""

UNSHARED_CACHES = (
    "django.core.cache.backends.locmem.LocMemCache",
    "django.core.cache.backends.dummy.DummyCache",
)
IN_MEMORY_LAYER = "channels.layers.InMemoryChannelLayer"

Apps = Sequence[AppConfig] | None


@register()
def check_app_order(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that INSTALLED_APPS contains ``daphne``, and ``wamp_transport`` before it."""
    names = [config.name for config in apps.get_app_configs()]
    if "daphne" not in names:
        return [
            Warning(
                "'daphne' is not in INSTALLED_APPS: the options of WebSocket services are not enforced.",
                hint="Add 'daphne' after 'wamp_transport', before 'django.contrib.staticfiles'.",
                id="wamp_transport.W002",
            )
        ]
    if names.index("wamp_transport") > names.index("daphne"):
        return [
            Error(
                "'wamp_transport' must come before 'daphne' in INSTALLED_APPS, or Daphne's runserver runs instead.",
                hint="Write INSTALLED_APPS = ['wamp_transport', 'daphne', ..., 'django.contrib.staticfiles', ...].",
                id="wamp_transport.E001",
            )
        ]
    return []


@register(deploy=True)
def check_enforced_options(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Report configured options that some ASGI servers ignore. This check runs only with ``check --deploy``."""
    configuration = _configuration()
    names = "" if configuration is None else describe_unsupported(configuration)
    if not names:
        return []
    return [
        Info(
            f"Only this app's own server enforces these WebSocket options: {names}.",
            hint="Serve with 'manage.py runnode'. Plain daphne, uvicorn and hypercorn ignore these options. The limits "
            "for slow peers (outgoing_*, max_outgoing_size) are ignored by plain daphne alone.",
            id="wamp_transport.I009",
        )
    ]


@register(Tags.security)
def check_daphne_version(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that a single client cannot block the installed version of Daphne (CVE-2026-44545, CVE-2026-44546)."""
    installed = DAPHNE.installed
    if not installed or release(installed) >= release(MIN_SAFE_DAPHNE):
        return []
    return [
        Error(
            f"Daphne {installed} is installed; versions before {MIN_SAFE_DAPHNE} have known vulnerabilities.",
            hint=f"Run pip install 'daphne>={MIN_SAFE_DAPHNE}'.",
            id="wamp_transport.E003",
        )
    ]


@register()
def check_internals(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that the installed libraries have the internal classes and functions that this app's server uses.

    This is only a warning, because an error would also stop ``migrate`` and other commands. Commands that run a server
    refuse to start in this case.
    """
    # If Daphne is not an installed app, another server is used. Do not import Daphne, which would install its reactor.
    problems = find_problems(with_server=apps.is_installed("daphne"))
    return [Warning(problem, id="wamp_transport.W015") for problem in problems]


@register()
def check_tested_versions(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that this app was tested with the installed versions of the libraries whose internals it uses."""
    return [
        Warning(
            f"{library.name} {library.installed} was not tested with this version of wampnode.",
            hint=f"The tested versions are '{library.requirement}'. Other versions probably work: the internals in use "
            "are checked when the server starts.",
            id="wamp_transport.W016",
        )
        for library in LIBRARIES
        if not library.is_tested
    ]


@register()
def check_settings(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check ``settings.WAMP_TRANSPORT``, and that a project with Channels sets ASGI_APPLICATION."""
    messages: list[CheckMessage] = [Error(fault, id="wamp_transport.E005") for fault in app_settings().faults]
    if not getattr(settings, "ASGI_APPLICATION", None) and apps.is_installed("channels"):
        messages.append(
            Warning(
                "ASGI_APPLICATION is not set: runserver and runnode serve WAMP and plain Django.",
                hint="Set ASGI_APPLICATION = '<project>.asgi.application' and, for other servers, wrap the application "
                "there with wamp_transport.routing.wamp_application().",
                id="wamp_transport.W004",
            )
        )
    return messages


@register()
def check_configuration(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check the configuration in ``settings.WAMP_TRANSPORT["CONFIG"]``.

    A configuration in the database is checked when it is edited.
    """
    source = choose_source()
    if isinstance(source, DatabaseSource):
        return []
    try:
        source.load()
    except ConfigError as error:
        return [
            Error(f"{error.report.source}: {fault}", hint=fault.hint or None, id="wamp_transport.E006")
            for fault in error.report.faults
        ]
    return []


@register()
def check_something_is_configured(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that a transport is configured.

    The check is skipped in DEBUG mode, which has a default configuration, and for commands with ``--config``.
    """
    if settings.DEBUG or has_command_configuration():
        return []
    configuration = _configuration()
    if configuration is None or configuration.transports:
        return []
    return [
        Warning(
            "No WAMP transport is configured, so no client can connect.",
            hint="Add a transport in the admin, import one with 'manage.py wamp import', or set "
            "WAMP_TRANSPORT = {'CONFIG': ...}.",
            id="wamp_transport.W008",
        )
    ]


@register()
def check_functions(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that the authorizer functions named in the configuration can be imported."""
    configuration = _configuration()
    if configuration is None:
        return []
    functions = Functions()
    try:
        return [
            Error(
                fault,
                hint="Use the dotted path of a function whose module is on the Python path.",
                id="wamp_transport.E010",
            )
            for fault in functions.faults(configuration)
        ]
    finally:
        functions.close()


@register()
def check_user_roles(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that the realms and roles in the table "roles of Django users" exist.

    This is only a warning, because an error would also stop the server, and with it the admin in which the table can be
    repaired. The command ``wamp check`` reports an error.
    """
    configuration = _configuration()
    try:
        found = [] if configuration is None else list(user_roles.faults(configuration))
    except DatabaseError:  # the table does not exist before the first migrate
        return []
    return [
        Warning(
            f"{fault}.",
            hint="Correct the line in the admin, or add the role to the realm. Logins that get this role are refused.",
            id="wamp_transport.W017",
        )
        for fault in found
    ]


@register()
def check_handlers(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that the ``wamp.py`` modules of the apps can be imported and that their declarations are valid."""
    return [Error(f"{problem}.", id="wamp_transport.E013") for problem in discover().problems]


@register(Tags.security)
def check_shared_cache(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that failed logins are counted in a shared cache if several processes serve the project."""
    backend = settings.CACHES["default"]["BACKEND"]
    if backend not in UNSHARED_CACHES or not (reason := _several_processes()):
        return []
    return [
        Warning(
            f"Failed logins are counted separately in each process, and {reason}: CACHES['default'] is not shared.",
            hint="Set CACHES['default'] to a cache that all processes share, such as "
            "'django.core.cache.backends.redis.RedisCache'. Tokens for a single login need it as well.",
            id="wamp_transport.W014",
        )
    ]


def _several_processes() -> str:
    """Return the evidence that several processes serve this project; an empty string if there is none."""
    if app_settings().cluster is not None:
        return "WAMP_TRANSPORT['CLUSTER'] connects processes"
    layer = getattr(settings, "CHANNEL_LAYERS", {}).get("default", {}).get("BACKEND")
    if layer is not None and layer != IN_MEMORY_LAYER:
        return "CHANNEL_LAYERS connects processes"
    alive = len(_nodes_alive())
    return f"{alive} processes are running" if alive > 1 else ""


def _nodes_alive() -> list[RunningNode]:
    """Return the nodes that are running, or an empty list if there is no database or no table yet."""
    try:
        return [status.node for status in nodes.running() if status.is_alive]
    except DatabaseError:
        return []


@register(deploy=True)
def check_single_process(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that a single process serves WAMP, or that there is a cluster.

    This check runs only with ``check --deploy``.
    """
    if app_settings().cluster is not None:
        return []
    alive = _nodes_alive()
    workers = os.environ.get("WEB_CONCURRENCY", "")
    if len(alive) > 1:
        reason = f"Several processes serve WAMP: {described(alive)}."
    elif workers.isascii() and workers.isdigit() and workers.strip("0") not in ("", "1"):
        reason = f"WEB_CONCURRENCY is {workers}, so gunicorn or uvicorn would start several processes."
    else:
        return []
    return [Warning(f"{reason} {NOT_SHARED}", hint=ADVICE, id="wamp_transport.W022")]


@register()
def check_cluster(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check the URL in the settings of the cluster, and that the nodes share their cookie stores."""
    cluster = app_settings().cluster
    if cluster is None:
        return []
    if fault := find_url_fault(cluster.url):
        return [Error(fault, id="wamp_transport.E023")]
    configuration = _configuration()
    problems = [] if configuration is None else list(unshared_stores(configuration))
    return [
        Warning(
            f"{problem.path}: {problem.message}.",
            hint=f"Nodes that join the cluster refuse this configuration: {problem.hint}.",
            id="wamp_transport.W024",
        )
        for problem in problems
    ]


@register(Tags.security, deploy=True)
def check_redis_of_cluster(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that others cannot read or change what the nodes of the cluster send to each other.

    This check runs only with ``check --deploy``.
    """
    cluster = app_settings().cluster
    problem = "" if cluster is None else find_unprotected(cluster.url)
    if not problem:
        return []
    return [
        Warning(
            f"{problem}.",
            hint="Whoever can write to this Redis server controls the router. Set a password and use rediss:// in "
            "WAMP_TRANSPORT['CLUSTER']['URL'], or protect the network in another way and silence this check.",
            id="wamp_transport.W025",
        )
    ]


@register()
def check_users(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that the project has users if a service offers logins with Django's session."""
    configuration = None if has_users() else _configuration()
    places = [
        service.path
        for service in (() if configuration is None else configuration.services)
        if isinstance(service.settings, WebSocketSection)
        and service.settings.auth is not None
        and DJANGO_SESSION.name in service.settings.auth.django_methods()
    ]
    return [
        Warning(
            f"Nobody can log in with django-session at {path}: the project's user model is not installed.",
            hint="Add the app of AUTH_USER_MODEL to INSTALLED_APPS, or remove django-session.",
            id="wamp_transport.W021",
        )
        for path in places
    ]


@register(Tags.security, deploy=True)
def check_open_realms(app_configs: Apps, **kwargs: Any) -> list[CheckMessage]:
    """Check that no permission allows anonymous clients to use all URIs of a realm.

    This check runs only with ``check --deploy``.
    """
    configuration = _configuration()
    if configuration is None:
        return []
    return [
        Warning(
            f"Anonymous clients may use every URI in realm {realm!r} ({', '.join(actions)}).",
            hint=f"Restrict the permissions of role {role!r}, or remove anonymous authentication from the service.",
            id="wamp_transport.W007",
        )
        for realm, role, actions in open_roles(configuration)
    ]


def _configuration() -> Configuration | None:
    """Return the configuration, or None if it is invalid or the database cannot be read.

    Another check reports an invalid configuration.
    """
    try:
        return choose_source().load()
    except (ConfigError, DatabaseError):
        return None


ACTIONS: Final = ("call", "register", "publish", "subscribe")


def open_roles(configuration: Configuration) -> Iterable[tuple[str, str, list[str]]]:
    """For each role of anonymous clients that may use all URIs, yield the realm, the role and the allowed actions."""
    logins = [
        anonymous_login(one.settings) for one in configuration.services if isinstance(one.settings, WebSocketSection)
    ]
    roles = {login.role for login in logins if login is not None}
    for realm in configuration.realms:
        for role in realm.roles:
            if role.name not in roles:
                continue
            if role.permissions is None and role.allow_by_default:
                yield realm.name, role.name, list(ACTIONS)
            for entry in role.permissions or ():
                rule = entry.permission()
                actions = [action for action in ACTIONS if getattr(rule, action)]
                if rule.uri == "" and rule.match == "prefix" and actions:
                    yield realm.name, role.name, actions
