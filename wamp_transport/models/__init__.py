"""The rows: the configuration, what running nodes write down, and who may log in as whom."""

from .audit import AuditEntry
from .configuration import (
    BRANCH,
    ENDPOINT_TYPES,
    MATCHES,
    ROOT,
    ConfigurationQuerySet,
    ConfigurationRow,
    ConfigurationState,
    PathService,
    Permission,
    Realm,
    Role,
    Transport,
    nesting_of,
    path_of,
    touch,
    valid_path,
)
from .principals import METHODS, Credential, IdentityChange, Principal, UserRole
from .running import PastEvent, RunningNode, TrackedCookie

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
    "PastEvent",
    "PathService",
    "Permission",
    "Principal",
    "Realm",
    "Role",
    "RunningNode",
    "TrackedCookie",
    "Transport",
    "UserRole",
    "nesting_of",
    "path_of",
    "touch",
    "valid_path",
]
