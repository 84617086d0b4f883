import json

import pytest

from wamp_transport.config.configuration import router_options
from wamp_transport.config.dialects import with_dialect
from wamp_transport.config.reader import read_file, read_mapping


@pytest.fixture
def read_from_file(tmp_path):
    """A function that reads a mapping from a file."""

    def read(mapping):
        (tmp_path / "config.json").write_text(json.dumps(mapping))
        return read_file(tmp_path)

    return read


@pytest.fixture
def read_from_elsewhere(tmp_path):
    """A function that reads a mapping from settings or a database."""
    return lambda mapping: read_mapping(mapping, tmp_path)


def dialect_of(configuration):
    (realm,) = router_options(configuration).realms.values()
    return realm.dialect


def notices_of(configuration):
    return {problem.path: str(problem) for problem in configuration.report.notices if "dialect" in str(problem)}


def test_realm_of_a_file_speaks_crossbars_dialect_with_a_notice(node, read_from_file):
    configuration = read_from_file(node)
    assert dialect_of(configuration) == "crossbar"
    (notice,) = notices_of(configuration).items()
    assert notice[0] == "workers[0].realms[0].options.dialect"
    assert '"crossbar" or "specification"' in notice[1]


def test_realm_from_elsewhere_speaks_the_specifications_without_a_notice(node, read_from_elsewhere):
    configuration = read_from_elsewhere(node)
    assert dialect_of(configuration) == "specification"
    assert not notices_of(configuration)


@pytest.mark.parametrize("dialect", ["crossbar", "specification"])
def test_given_dialect_counts_wherever_it_is_given(node, worker, read_from_file, read_from_elsewhere, dialect):
    worker["realms"][0]["options"] = {"dialect": dialect}
    for read in (read_from_file, read_from_elsewhere):
        configuration = read(node)
        assert dialect_of(configuration) == dialect
        assert not notices_of(configuration)


def test_null_is_not_given(node, worker, read_from_file):
    worker["realms"][0]["options"] = {"dialect": None, "enable_meta_api": True}
    assert dialect_of(read_from_file(node)) == "crossbar"


def test_default_realm_of_a_file_speaks_crossbars_dialect(node, worker, read_from_file):
    del worker["realms"]
    assert dialect_of(read_from_file(node)) == "crossbar"


def test_disabled_worker_gets_no_notice(node, worker, read_from_file):
    node["workers"].append({**worker, "options": {"disabled": True}, "transports": []})
    assert list(notices_of(read_from_file(node))) == ["workers[0].realms[0].options.dialect"]


def test_named_dialect_goes_with_a_configuration(node, worker, read_from_file, read_from_elsewhere):
    assert dialect_of(read_from_elsewhere(with_dialect(node, "crossbar"))) == "crossbar"
    assert dialect_of(read_from_file(with_dialect(node, "specification"))) == "specification"
    assert "options" not in worker["realms"][0]
    worker["realms"][0]["options"] = {"dialect": "crossbar", "uri_check": "strict"}
    assert with_dialect(node, "specification") == node
