"""A good configuration to change, and readers that tell problems by their paths."""

import copy

import pytest

from wamp_transport.config import ConfigError, read_mapping

REALM = {
    "name": "realm1",
    "roles": [{"name": "anonymous", "permissions": [{"uri": "*", "allow": {"call": True, "subscribe": True}}]}],
}
NODE = {
    "version": 2,
    "controller": {},
    "workers": [
        {
            "type": "router",
            "realms": [REALM],
            "transports": [
                {
                    "type": "web",
                    "endpoint": {"type": "tcp", "port": 8080},
                    "paths": {"/": {"type": "nodeinfo"}, "ws": {"type": "websocket"}},
                }
            ],
        }
    ],
}


class Outcome:
    """What reading came to: the configuration or None, and the problems by path."""

    def __init__(self, configuration, report):
        self.configuration = configuration
        self.report = report
        self.faults = {problem.path: problem for problem in report.faults}
        self.notices = {problem.path: problem for problem in report.notices}


@pytest.fixture
def node():
    """A good configuration of one worker, realm, transport and WebSocket service."""
    return copy.deepcopy(NODE)


@pytest.fixture
def worker(node):
    return node["workers"][0]


@pytest.fixture
def transport(worker):
    return worker["transports"][0]


@pytest.fixture
def service(transport):
    return transport["paths"]["ws"]


@pytest.fixture
def read(tmp_path):
    """Reads a mapping and tells what it came to."""

    def reading(mapping, **environ):
        try:
            configuration = read_mapping(mapping, tmp_path, environ=environ)
        except ConfigError as error:
            return Outcome(None, error.report)
        return Outcome(configuration, configuration.report)

    return reading


@pytest.fixture
def problems(read, node):
    """Reads ``node`` and tells the problems below a path, by what follows it."""

    def of(below):
        outcome = read(node)
        cut = len(below) + 1
        faults = {path[cut:]: one for path, one in outcome.faults.items() if path.startswith(below)}
        notices = {path[cut:]: one for path, one in outcome.notices.items() if path.startswith(below)}
        return faults, notices

    return of
