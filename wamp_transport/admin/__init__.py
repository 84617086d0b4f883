"""The admin pages for the configuration, logins and running nodes. The configuration schema defines the forms."""

from wamp_transport.admin.audit import AuditEntryAdmin
from wamp_transport.admin.cookies import TrackedCookieAdmin
from wamp_transport.admin.nodes import RunningNodeAdmin
from wamp_transport.admin.principals import PrincipalAdmin
from wamp_transport.admin.realms import RealmAdmin
from wamp_transport.admin.roles import RoleAdmin
from wamp_transport.admin.services import WebPathAdmin
from wamp_transport.admin.transports import TransportAdmin
from wamp_transport.admin.user_roles import UserRoleAdmin

__all__ = [
    "AuditEntryAdmin",
    "PrincipalAdmin",
    "RealmAdmin",
    "RoleAdmin",
    "RunningNodeAdmin",
    "TrackedCookieAdmin",
    "TransportAdmin",
    "UserRoleAdmin",
    "WebPathAdmin",
]
