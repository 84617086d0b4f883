"""Sources of the configuration: which one is used, what it says, when it has something new."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from wamp_transport.bootstrap import sources
from wamp_transport.bootstrap.sources import DatabaseSource, FileSource, MappingSource, base_directory, choose_source
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.reader import read_mapping
from wamp_transport.config.report import ConfigError

DOCUMENT = {"version": 2, "workers": []}


def test_path_of_the_command_line_comes_first() -> None:
    with override_settings(WAMP_TRANSPORT={"CONFIG": "/elsewhere"}):
        source = choose_source("/here")
    assert isinstance(source, FileSource)
    assert source.path == Path("/here")


@pytest.mark.parametrize(
    ("setting", "kind"),
    [({"CONFIG": "/here"}, FileSource), ({"CONFIG": DOCUMENT}, MappingSource), ({}, DatabaseSource)],
)
def test_setting_says_which_source(setting: dict[str, Any], kind: type) -> None:
    with override_settings(WAMP_TRANSPORT=setting):
        assert isinstance(choose_source(), kind)


def test_file_has_a_new_revision_when_it_changes(tmp_path: Path) -> None:
    source = FileSource(tmp_path)
    path = tmp_path / "config.json"
    seen = [source.revision()]
    path.write_text(json.dumps(DOCUMENT))
    seen.append(source.revision())
    assert source.revision() == seen[-1]
    os.utime(path, ns=(0, 1))
    seen.append(source.revision())
    path.unlink()
    assert seen[0] is None
    assert len(set(seen)) == 3
    assert source.revision() is None


def test_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(DOCUMENT))
    assert FileSource(tmp_path).load().base_dir == tmp_path
    with pytest.raises(ConfigError):
        FileSource(tmp_path / "missing").load()


def test_mapping_is_read_and_never_new(tmp_path: Path) -> None:
    source = MappingSource(DOCUMENT)
    with override_settings(BASE_DIR=tmp_path):
        assert source.load().base_dir == tmp_path
    assert source.revision() == source.revision()
    with pytest.raises(ConfigError, match="wokers"):
        MappingSource({"version": 2, "wokers": []}).load()


class Rows:
    """The store in the database, as far as a source asks it."""

    def __init__(self, configuration: Configuration | None) -> None:
        self.configuration = configuration

    def revision(self) -> int:
        return 7

    def is_empty(self) -> bool:
        return self.configuration is None

    def load(self, *_: Any) -> Configuration | None:
        return self.configuration


@pytest.mark.parametrize("debug", [True, False])
def test_empty_database_serves_a_default_in_development_only(monkeypatch: pytest.MonkeyPatch, debug: bool) -> None:
    monkeypatch.setattr(sources, "rows", Rows(None))
    source = DatabaseSource()
    with override_settings(DEBUG=debug):
        configuration = source.load()
    assert [service.path for service in configuration.services] == ["/ws"] * debug
    assert not source.has_endpoint
    assert source.revision() == 7


def test_rows_of_the_database_are_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Configuration("database", Path(), (), ())
    monkeypatch.setattr(sources, "rows", Rows(stored))
    source = DatabaseSource()
    assert source.load() is stored
    assert source.has_endpoint


@pytest.mark.parametrize("debug", [True, False])
def test_rows_without_a_path_leave_the_built_in_service_in_development_only(
    monkeypatch: pytest.MonkeyPatch, debug: bool
) -> None:
    """Saving a realm, the first step in the admin, must not end WAMP on ``/ws``."""
    office = read_mapping({"version": 2, "workers": [{"type": "router", "realms": [{"name": "office"}]}]}, Path())
    monkeypatch.setattr(sources, "rows", Rows(office))
    source = DatabaseSource()
    with override_settings(DEBUG=debug):
        configuration = source.load()
    assert [service.path for service in configuration.services] == ["/ws"] * debug
    assert [realm.name for realm in configuration.realms] == ["office"]
    assert source.has_endpoint is not debug


def test_relative_paths_start_from_the_project(tmp_path: Path) -> None:
    with override_settings(BASE_DIR=str(tmp_path)):
        assert base_directory() == tmp_path
    with override_settings(BASE_DIR=None):
        assert base_directory() == Path.cwd()
