"""Access to single sections of the schema, for forms: the fields of a section, and its validation.

Locations of problems are relative to the section.
"""

import os
from collections.abc import Mapping
from typing import Any

from wamp_transport.config.attributes import Attribute, attributes_of
from wamp_transport.config.checker import check, problems
from wamp_transport.config.endpoint import Endpoint, TcpEndpoint, UnixEndpoint
from wamp_transport.config.paths import SERVICE_TYPES, Service, segments_at
from wamp_transport.config.realm import PermissionSection, RealmOptionsSection, RealmSection, RoleSection
from wamp_transport.config.report import Problem
from wamp_transport.config.section import Finding, Section
from wamp_transport.config.transport import TransportSection, WebOptions, WebTransport
from wamp_transport.config.websocket import WebSocketSection, url_finding

SECTIONS: Mapping[str, type[Section]] = {
    **SERVICE_TYPES,
    "realm": RealmSection,
    "realm options": RealmOptionsSection,
    "role": RoleSection,
    "permission": PermissionSection,
    "tcp": TcpEndpoint,
    "unix": UnixEndpoint,
    "web": WebTransport,
    "web options": WebOptions,
}


def service_types() -> tuple[str, ...]:
    """Return the supported types of service."""
    return tuple(SERVICE_TYPES)


def fields_of(type: str) -> tuple[Attribute, ...]:
    """Return the leaf attributes of a section, without the attribute ``type``.

    The parameter ``type`` is the name of the section in ``SECTIONS``, such as a type of service. Raises KeyError for an
    unknown name.
    """
    return tuple(attribute for attribute in attributes_of(SECTIONS[type]) if attribute.path != "type")


def check_service(
    type: str, mapping: Any, full_path: str | None = None, *, environ: Mapping[str, str] | None = None
) -> list[Problem]:
    """Validate a service and return the problems.

    ``full_path`` is the path of the service, such as ``/app/ws``. The URL in its settings must have this path. The URL
    of a nested service must have the full path of the nested service. If ``full_path`` is None, URLs are not checked.
    """
    given = {**mapping, "type": type} if isinstance(mapping, Mapping) else mapping
    checked = check(Service, given, _environment(environ))
    findings = list(checked.findings)
    top = () if full_path is None else tuple(step for step in full_path.split("/") if step)
    for found in checked.sections:
        if not issubclass(found.section, WebSocketSection) or full_path is None:
            continue
        finding = url_finding(found.given.get("url"), top + segments_at(found.location))
        if finding is not None:
            findings.append(Finding((*found.location, *finding.location), finding.message, finding.hint))
    return problems(findings, checked.data)


def check_paths(mapping: Any, *, environ: Mapping[str, str] | None = None) -> list[Problem]:
    """Validate a transport's ``paths`` and return the problems. Locations begin with a key of ``paths``."""
    found = check_service("path", {"paths": mapping}, "/", environ=environ)
    return [
        Problem(problem.path.removeprefix("paths").removeprefix("."), problem.message, problem.hint, problem.level)
        for problem in found
    ]


def check_realm(mapping: Any) -> list[Problem]:
    """Validate a realm and return the problems."""
    return _check(RealmSection, mapping, None)


def check_role(mapping: Any) -> list[Problem]:
    """Validate a role and return the problems."""
    return _check(RoleSection, mapping, None)


def check_permission(mapping: Any) -> list[Problem]:
    """Validate a permission and return the problems."""
    return _check(PermissionSection, mapping, None)


def check_endpoint(mapping: Any, *, environ: Mapping[str, str] | None = None) -> list[Problem]:
    """Validate an endpoint and return the problems."""
    return _check(Endpoint, mapping, environ)


def check_transport(mapping: Any, *, environ: Mapping[str, str] | None = None) -> list[Problem]:
    """Validate a transport and return the problems. The URLs of its services are not checked."""
    return _check(TransportSection, mapping, environ)


def _check(annotation: Any, mapping: Any, environ: Mapping[str, str] | None) -> list[Problem]:
    checked = check(annotation, mapping, _environment(environ))
    return problems(checked.findings, checked.data)


def _environment(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    return os.environ if environ is None else environ
