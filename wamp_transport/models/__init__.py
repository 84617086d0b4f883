"""The database models: the configuration, running nodes, logins, and the audit trail."""

from .audit import AuditEntry
from .configuration import (
    BRANCH,
    ENDPOINT_TYPES,
    MATCHES,
    ROOT,
    ConfigurationQuerySet,
    ConfigurationRow,
    ConfigurationState,
    PermissionRule,
    Realm,
    Role,
    Transport,
    WebPath,
    nesting_of,
    path_of,
    touch,
    valid_path,
)
from .optional_apps import has_groups, has_users
from .principals import METHODS, Credential, IdentityChange, Principal, UserRole
from .running import RunningNode, StoredEvent, TrackedCookie

__all__ = [
    "BRANCH",
    "ENDPOINT_TYPES",
    "MATCHES",
    "METHODS",
    "ROOT",
    "AuditEntry",
    "ConfigurationQuerySet",
    "ConfigurationRow",
    "ConfigurationState",
    "Credential",
    "IdentityChange",
    "PermissionRule",
    "Principal",
    "Realm",
    "Role",
    "RunningNode",
    "StoredEvent",
    "TrackedCookie",
    "Transport",
    "UserRole",
    "WebPath",
    "has_groups",
    "has_users",
    "nesting_of",
    "path_of",
    "touch",
    "valid_path",
]
