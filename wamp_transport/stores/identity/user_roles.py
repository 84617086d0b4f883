"""Validation of the table that gives roles to Django users: each row must name a realm and a role that exist."""

from collections.abc import Iterator
from dataclasses import dataclass

from wamp_transport.config.configuration import Configuration
from wamp_transport.models import UserRole, has_users
from wamp_transport.stores.connections import has_database


@dataclass(frozen=True, slots=True)
class UserRoleFault:
    """A problem with a row of the table. ``field`` is the name of the column with the problem."""

    field: str
    message: str


def fault_in(line: UserRole, configuration: Configuration) -> UserRoleFault | None:
    """Return the problem with a row of the table; None if there is none, or if no realms are configured.

    If the row applies to all realms, at least one realm must have its role. Realms without this role refuse the users.
    """
    names = [realm.name for realm in configuration.realms]
    realms = [realm for realm in configuration.realms if line.realm in ("", realm.name)]
    if not names:
        return None
    if not realms:
        return UserRoleFault("realm", f'there is no realm "{line.realm}"; there are: {", ".join(names)}')
    roles = sorted({role.name for realm in realms for role in realm.roles})
    if not line.role or line.role in roles:
        return None
    known = f"it has: {', '.join(roles)}" if roles else "it has no roles"
    if not line.realm:
        known = f"the roles are: {', '.join(roles)}" if roles else "they have no roles"
    subject = f'realm "{line.realm}" has no role' if line.realm else "no realm has the role"
    return UserRoleFault("role", f'{subject} "{line.role}"; {known}')


def faults(configuration: Configuration) -> Iterator[str]:
    """Yield a description of each problem in the stored table.

    Yield nothing if the project has no Django users or no database, and therefore no such table.
    """
    if not (has_users() and has_database()):
        return
    for line in UserRole.objects.select_related("group"):
        fault = fault_in(line, configuration)
        if fault is not None:
            yield f"roles of Django users, line {line.pk} ({line}): {fault.message}"
