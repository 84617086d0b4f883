"""Predict how many sessions a configuration change would end. Sessions are counted by group.

Groups are defined in :mod:`wamp_transport.stores.session_groups`.
"""

from ..auth.providers import AuthProvider
from ..auth.static import StaticPrincipals
from ..config.auth import MethodAuth
from ..config.auth_methods import BY_WIRE_NAME
from ..config.configuration import Configuration, PathService, service_options
from ..config.websocket import WebSocketSection
from ..node.observers import NodeObserver
from ..router.options import LOCAL_SERVICE, TRUSTED, is_narrowed
from ..router.records import Session
from ..stores.session_groups import SessionCounts, SessionGroup


class SessionCounter(NodeObserver):
    """An observer that counts the sessions of clients by group. Sessions of this process itself are not counted."""

    def __init__(self) -> None:
        self._counts: dict[SessionGroup, int] = {}

    def session_joined(self, session: Session) -> None:
        """Count the session."""
        if session.service is not LOCAL_SERVICE:
            group = group_of(session)
            self._counts[group] = self._counts.get(group, 0) + 1

    def session_left(self, session: Session, reason: str) -> None:
        """Stop counting the session."""
        if session.service is not LOCAL_SERVICE:
            group = group_of(session)
            left = self._counts.get(group, 0) - 1
            if left > 0:
                self._counts[group] = left
            else:
                self._counts.pop(group, None)

    def counts(self) -> dict[SessionGroup, int]:
        """Return a copy of the counts. Other threads may call this, because copying a dict is atomic."""
        return self._counts.copy()


def group_of(session: Session) -> SessionGroup:
    """Return the group of a session that has joined."""
    is_named = BY_WIRE_NAME[session.authmethod].ends_with_principal and session.authprovider in (
        AuthProvider.STATIC,
        AuthProvider.DATABASE,
        AuthProvider.COOKIE,
    )
    return SessionGroup(
        session.service.key,
        session.realm,
        session.authrole,
        session.authmethod,
        session.authprovider,
        session.authid if is_named else "",
    )


def count_ending(counts: SessionCounts, before: Configuration, after: Configuration) -> int:
    """Return the number of sessions that end when a node that runs ``before`` applies ``after``.

    The rules are the same as in ``Node.configure()``, ``Router.configure()`` and :class:`~.parts.LoginsPart`.
    """
    old, new = ({one.key: one for one in each.services} for each in (before, after))
    roles = {realm.name: {role.name for role in realm.roles} | {TRUSTED} for realm in after.realms}
    return sum(
        count
        for group, count in counts.items()
        if group.role not in roles.get(group.realm, ())
        or not _keeps_sessions(old.get(group.service), new.get(group.service))
        or not _allows_login(new[group.service], group)
    )


def _keeps_sessions(old: PathService | None, new: PathService | None) -> bool:
    if new is None:
        return False
    return old is None or not is_narrowed(service_options(old), service_options(new))


def _allows_login(service: PathService, group: SessionGroup) -> bool:
    """Return whether the principal of ``group`` can still log in to ``service``, judging by the configuration alone."""
    method, settings = BY_WIRE_NAME[group.method], service.settings
    if not method.ends_with_principal:
        return True
    auth = settings.auth if isinstance(settings, WebSocketSection) else None
    if auth is None:
        return False
    if method.name in auth.django_methods():
        return True
    methods = auth.methods()
    if group.provider == AuthProvider.COOKIE:
        return any(_may_exist(one, group) for one in methods.values())
    source = methods.get(method.name)
    return source is not None and source.type == group.provider and _may_exist(source, group)


def _may_exist(source: MethodAuth, group: SessionGroup) -> bool:
    """Return whether the source can contain the principal of ``group``. Only static sources can be searched.

    A group without an authid contains the sessions of several principals; assume that these still exist.
    """
    return source.type != "static" or not group.authid or StaticPrincipals(source).has(group.authid, group.role)
