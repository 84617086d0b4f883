"""Built-in configurations: one for development, and the template for a new node."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from wamp_transport.config.configuration import Configuration
from wamp_transport.config.reader import read_mapping
from wamp_transport.config.realm import open_realm


def development_default() -> Configuration:
    """Return a configuration that offers WAMP over WebSocket at the path ``/ws`` of the default endpoint.

    Anonymous clients may use all URIs except those that begin with ``wamp.``.
    """
    transport = {
        "type": "web",
        "endpoint": {"type": "tcp", "port": 8080, "interface": "127.0.0.1"},
        "paths": {"ws": {"type": "websocket"}},
    }
    worker = {"type": "router", "realms": [open_realm()], "transports": [transport]}
    return read_mapping({"version": 2, "workers": [worker]}, Path(), source="development default", environ={})


def with_builtin_service(stored: Configuration) -> Configuration:
    """Return ``stored`` or, if none of its transports has a path, a copy with the transport of the development default.

    The copy has the realms of ``stored`` or, if there are none, the realm of the development default. It does not have
    the transports of ``stored``, because one of them could have the address of the server that shows the admin.
    """
    if stored.services:
        return stored
    builtin = development_default()
    return replace(stored, realms=stored.realms or builtin.realms, transports=builtin.transports)


def template() -> dict[str, Any]:
    """Return the config.json of a new node, similar to Crossbar's default."""
    transport = {
        "type": "web",
        "endpoint": {"type": "tcp", "port": 8080},
        "paths": {"/": {"type": "static", "directory": ".."}, "ws": {"type": "websocket"}},
    }
    realm = {**open_realm(), "options": {"dialect": "specification"}}
    worker = {"type": "router", "realms": [realm], "transports": [transport]}
    return {"version": 2, "controller": {}, "workers": [worker]}
