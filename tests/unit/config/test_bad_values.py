"""Every attribute of a transport and of its services refuses what it cannot mean, and says where.

The attributes are those of the schema, so none can be forgotten.
"""

from pathlib import Path
from typing import Any, get_args

import pytest

from wamp_transport.config import ConfigError, read_mapping
from wamp_transport.config.attributes import Attribute, attributes_of
from wamp_transport.config.forms import SECTIONS, fields_of, service_types
from wamp_transport.config.transport import TransportSection, WebSocketTransport, WebTransport

BAD = {"bool": "true", "int": "12", "str": 12, "list[str]": {"a": 1}, "choice": "nothing", "json": "text"}
"""For each kind of attribute a value that is none."""

ANYTHING = {"options.flash_policy", "value"}
"""Attributes that may be any JSON value."""

PLACE = "workers[0].transports[0]"
ENDPOINT = {"type": "tcp", "port": 1}


def nested(path: str, value: Any) -> Any:
    """The mapping that has a value at a dotted path and nothing else."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def fault(transport: dict[str, Any], path: str) -> str:
    """What is told of the place ``path`` in a configuration with this transport alone, whatever else is wrong."""
    document = {"version": 2, "workers": [{"type": "router", "transports": [transport]}]}
    with pytest.raises(ConfigError) as error:
        read_mapping(document, Path("/nowhere"), environ={})
    return next(problem.message for problem in error.value.report.faults if problem.path == path)


def those(fields: Any) -> list[Attribute]:
    return [one for one in fields if one.path not in ANYTHING and one.path != "type"]


def named(value: Any) -> str:
    return value.path if isinstance(value, Attribute) else str(value)


@pytest.mark.parametrize(
    ("kind", "attribute"), [(kind, one) for kind in service_types() for one in those(fields_of(kind))], ids=named
)
def test_bad_value_of_a_service_is_told_with_its_path(kind: str, attribute: Attribute) -> None:
    service = {"type": kind, **nested(attribute.path, BAD[attribute.kind])}
    transport = {"type": "web", "endpoint": ENDPOINT, "paths": {"ws": service}}
    message = fault(transport, f"{PLACE}.paths.ws.{attribute.path}")
    assert attribute.refused or "expected" in message


TRANSPORTS = {"web": WebTransport, "websocket": WebSocketTransport}
NEEDED: dict[str, Any] = {"web": {"paths": {"ws": {"type": "websocket"}}}, "websocket": {}}


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [(kind, one) for kind, section in TRANSPORTS.items() for one in those(attributes_of(section))],
    ids=named,
)
def test_bad_value_of_a_transport_is_told_with_its_path(kind: str, attribute: Attribute) -> None:
    transport = {"type": kind, **NEEDED[kind], **nested(attribute.path, BAD[attribute.kind])}
    message = fault(transport, f"{PLACE}.{attribute.path}")
    assert attribute.refused or "expected" in message


@pytest.mark.parametrize(
    ("kind", "attribute"), [(kind, one) for kind in ("tcp", "unix") for one in those(fields_of(kind))], ids=named
)
def test_bad_value_of_an_endpoint_is_told_with_its_path(kind: str, attribute: Attribute) -> None:
    transport = {"type": "websocket", "endpoint": {"type": kind, **nested(attribute.path, BAD[attribute.kind])}}
    message = fault(transport, f"{PLACE}.endpoint.{attribute.path}")
    assert attribute.refused or "expected" in message


def test_all_transports_and_services_that_are_offered_are_asked() -> None:
    offered = [one for one in get_args(get_args(TransportSection)[0]) if one.unoffered is None]
    assert set(offered) == set(TRANSPORTS.values())
    assert set(service_types()) <= set(SECTIONS)


@pytest.mark.parametrize(
    "attribute",
    [one for one in those(fields_of("websocket")) if one.minimum is not None or one.maximum is not None],
    ids=named,
)
def test_value_out_of_its_range_is_told_with_its_path(attribute: Attribute) -> None:
    below = [] if attribute.minimum is None else [attribute.minimum - 1]
    above = [] if attribute.maximum is None else [attribute.maximum + 1]
    for wrong in below + above:
        service = {"type": "websocket", **nested(attribute.path, wrong)}
        transport = {"type": "web", "endpoint": ENDPOINT, "paths": {"ws": service}}
        assert f"found {wrong}" in fault(transport, f"{PLACE}.paths.ws.{attribute.path}")
