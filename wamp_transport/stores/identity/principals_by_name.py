"""A search for principals by name in the configuration, the database and Django's users.

All functions are synchronous: call them in a thread.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone

from wamp_transport.config.auth import AnonymousAuth, Auth
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.websocket import WebSocketSection
from wamp_transport.models import Principal, has_users
from wamp_transport.stores.identity.principals import belongs_to_nobody_gone
from wamp_transport.stores.identity.users import role_of


@dataclass(frozen=True, slots=True)
class NamedPrincipal:
    """The role of a principal that was found by its name.

    ``who`` describes where the principal is defined, for example ``ticket at tcp:8080/ws``.
    """

    role: str
    who: str


def find_by_name(configuration: Configuration, realm: str, name: str) -> list[NamedPrincipal]:
    """Return all principals that can log in to a realm as ``name``. The name is an authid or a Django username.

    Principals that are known only to an authenticator, a hook or another system are not included.
    """
    logins = [
        (service.key, service.settings.auth)
        for service in configuration.services
        if isinstance(service.settings, WebSocketSection) and service.settings.auth is not None
    ]
    found = [principal for key, auth in logins for principal in _static(key, auth, realm, name)]
    found += _stored(realm, name)
    found += _users(logins, realm, name)
    return list(dict.fromkeys(found))


def _static(key: str, auth: Auth, realm: str, name: str) -> Iterator[NamedPrincipal]:
    for method, settings in auth.methods().items():
        if settings.type != "static":
            continue
        if isinstance(settings, AnonymousAuth) and settings.authid == name:
            yield NamedPrincipal(settings.role, f"{method} at {key}")
        for listed, principal in settings.listed().items():
            role = principal.role or settings.default_role
            if (principal.authid or listed) == name and principal.realm in (None, realm) and role is not None:
                yield NamedPrincipal(role, f"{method} at {key}")


def _stored(realm: str, name: str) -> Iterator[NamedPrincipal]:
    ends = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    for row in Principal.objects.filter(ends, realm=realm, authid=name, is_active=True):
        if belongs_to_nobody_gone(row):
            yield NamedPrincipal(row.role, "principal in the database")


def _users(logins: list[tuple[str, Auth]], realm: str, name: str) -> Iterator[NamedPrincipal]:
    """Yield the roles of a Django user: from the table of roles or, if no row applies, each service's default role."""
    if not has_users():
        return
    users = get_user_model()
    user = users._default_manager.filter(**{users.USERNAME_FIELD: name}).first()
    if user is None or not user.is_active:
        return
    role = role_of(user, realm)
    if role:
        yield NamedPrincipal(role, "Django user")
    elif role is None:
        for key, auth in logins:
            for method, settings in auth.django_methods().items():
                if settings.default_role is not None:
                    yield NamedPrincipal(settings.default_role, f"Django user by {method} at {key}")
