"""The groups of attributes in forms. Attributes that belong to no group are shown under "More" or "Options"."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from wamp_transport.admin.attribute_fields import ABSENT, field_name
from wamp_transport.admin.row_form import value_at
from wamp_transport.config.attributes import Attribute
from wamp_transport.config.auth_methods import (
    ANONYMOUS,
    COOKIE,
    CRYPTOSIGN,
    DJANGO_SESSION,
    SCRAM,
    TICKET,
    TLS,
    TOKEN,
    WAMPCRA,
    AuthMethod,
)

Fieldset = tuple[Any, dict[str, Any]]


def _decided(method: AuthMethod) -> tuple[str, ...]:
    """Return the paths of the attributes that select and configure the authenticator of ``method``."""
    names = ("authenticator", "authenticator-realm", "authenticator-role", "create", "config", "default-role")
    return _login(method, *names)


def _login(method: AuthMethod, *names: str) -> tuple[str, ...]:
    return tuple(f"auth.{method.name}.{name}" for name in names)


# Each group has a title, the paths of its attributes, and whether it is rarely used.
_GROUPS: tuple[tuple[Any, tuple[str, ...], bool], ...] = (
    (
        _("General"),
        ("directory", "package", "resource", "value", "url", "serializers", "debug", "options.uri_check"),
        False,
    ),
    (_("Login: anonymous"), _login(ANONYMOUS, "type", "role", "authid"), False),
    (_("Login: anonymous, decided by a procedure or function"), _decided(ANONYMOUS), True),
    (_("Login: ticket"), (*_login(TICKET, "type", "principals"), *_decided(TICKET)), True),
    (_("Login: WAMP-CRA"), (*_login(WAMPCRA, "type", "users"), *_decided(WAMPCRA)), True),
    (_("Login: SCRAM"), (*_login(SCRAM, "type", "principals"), *_decided(SCRAM)), True),
    (_("Login: cryptosign"), (*_login(CRYPTOSIGN, "type", "principals"), *_decided(CRYPTOSIGN)), True),
    (_("Login: TLS certificate"), (*_login(TLS, "type", "principals"), *_decided(TLS)), True),
    (_("Login: cookie"), (f"auth.{COOKIE.name}",), True),
    (_("Login: Django session"), _login(DJANGO_SESSION, "enabled", "default-role", "trusted_origins"), True),
    (_("Login: token"), _login(TOKEN, "enabled", "default-role"), True),
    (
        _("Failed logins"),
        ("lockout.failures_per_address", "lockout.failures_per_authid", "lockout.period"),
        True,
    ),
    (
        _("Handshake and origins"),
        (
            "options.allowed_origins",
            "options.allow_null_origin",
            "options.allow_missing_origin",
            "options.require_websocket_subprotocol",
            "options.open_handshake_timeout",
            "options.external_port",
            "options.enable_webstatus",
            "options.show_server_version",
            "options.enable_rfc6455",
            "options.enable_hybi10",
        ),
        False,
    ),
    (
        _("Cookie"),
        (
            "cookie.store.type",
            "cookie.store.filename",
            "cookie.store.max_cookies",
            "cookie.store.purge_on_startup",
            "cookie.name",
            "cookie.length",
            "cookie.max_age",
            "cookie.secure",
            "cookie.http_strict",
            "cookie.same_site",
        ),
        True,
    ),
    (_("Limits"), ("options.max_message_size", "options.max_frame_size", "options.auto_fragment_size"), True),
    (
        _("Pings"),
        (
            "options.auto_ping_interval",
            "options.auto_ping_timeout",
            "options.auto_ping_size",
            "options.auto_ping_restart_on_any_traffic",
        ),
        True,
    ),
    (
        _("Closing"),
        ("options.close_handshake_timeout", "options.fail_by_drop", "options.echo_close_codereason"),
        True,
    ),
    (
        _("Frames"),
        (
            "options.validate_utf8",
            "options.require_masked_client_frames",
            "options.apply_mask",
            "options.mask_server_frames",
            "options.tcp_nodelay",
        ),
        True,
    ),
    (
        _("Compression: on where any of these is set"),
        (
            "options.compression.deflate.no_context_takeover",
            "options.compression.deflate.max_window_bits",
            "options.compression.deflate.memory_level",
            "options.compression.deflate.request_no_context_takeover",
            "options.compression.deflate.request_max_window_bits",
        ),
        True,
    ),
    (
        _("TLS: paths of files on the machine of the node; on where a certificate and its key are given"),
        (
            "endpoint.tls.certificate",
            "endpoint.tls.key",
            "endpoint.tls.chain_certificates",
            "endpoint.tls.ca_certificates",
            "endpoint.tls.require_client_certificate",
            "endpoint.tls.ciphers",
            "endpoint.tls.dhparam",
        ),
        True,
    ),
    (_("Connections and proxies"), ("max_connections", "max_connections_per_address", "trusted_proxies"), True),
    (
        _("HTTP"),
        (
            "options.request_timeout",
            "options.client_timeout",
            "options.max_request_head",
            "options.max_request_body",
            "options.hsts",
            "options.hsts_max_age",
            "options.access_log",
        ),
        True,
    ),
    (_("Endpoint, further options"), ("endpoint.version", "endpoint.shared", "endpoint.user_timeout"), True),
    (
        _("Limits of stored events and testaments"),
        (
            "options.max_retained",
            "options.max_retained_size",
            "options.max_retained_share",
            "options.max_retained_age",
            "options.max_history_size",
            "options.max_testaments_size",
            "options.max_session_testaments_size",
        ),
        True,
    ),
    (
        _("Authorization by a procedure or function, instead of permissions"),
        (
            "authorizer",
            "authorizer_function",
            "authorizer_timeout",
            "authorizer_cache_time",
            "authorizer_cache_per_authid",
        ),
        True,
    ),
    (
        _("Limits for sessions"),
        tuple(
            f"{prefix}{name}"
            for prefix in ("", "options.")
            for name in (
                "max_sessions",
                "max_subscriptions",
                "max_registrations",
                "max_calls",
                "max_calls_size",
                "max_uri_length",
                "max_depth",
                "max_payload_size",
            )
        ),
        True,
    ),
    (_("Trust level"), ("trustlevel",), True),
    (_("Name for management"), ("id",), True),
)


def fieldsets_for(attributes: Iterable[Attribute], settings: Mapping[str, Any]) -> list[Fieldset]:
    """Return the groups that contain any of these attributes, in order.

    Rarely used groups are collapsed unless one of their attributes is set.
    """
    left = {attribute.path: field_name(attribute) for attribute in attributes if attribute.offered}
    groups: list[Fieldset] = []
    for title, paths, is_rare in _GROUPS:
        is_set = any(value_at(settings, path) is not ABSENT for path in paths)
        classes = ["collapse"] if is_rare and not is_set else []
        fields = [left.pop(path) for path in paths if path in left]
        if fields:
            groups.append((title, {"fields": fields, "classes": ["wamp-group", *classes]}))
    if left:
        title = _("Options") if all(path.startswith("options.") for path in left) else _("More")
        groups.append((title, {"fields": list(left.values()), "classes": ["wamp-group"]}))
    return groups
