"""The sources of a configuration: a file, a setting or the database. Sources are read in a thread."""

import os
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from ..conf import app_settings
from ..config.configuration import Configuration
from ..config.defaults import with_builtin_service
from ..config.reader import find_file, read_file, read_mapping
from ..config.report import ConfigError
from ..stores import configuration as rows


class Source(Protocol):
    """A source of the configuration."""

    has_endpoint: bool
    """Whether endpoints are configured explicitly. If not, commands use their default address."""

    def revision(self) -> Hashable:
        """Return a value that changes when the configuration changes. The method is polled, so it must be fast."""
        ...

    def load(self) -> Configuration:
        """Read the current configuration. Raises ConfigError if it is invalid."""
        ...


class FileSource:
    """A configuration in a Crossbar node directory, a ``.crossbar`` directory or a file."""

    has_endpoint = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def revision(self) -> Hashable:
        """Return the modification time, size and inode of the file; None if there is no file."""
        try:
            status = find_file(self.path).stat()
        except (ConfigError, OSError):
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def load(self) -> Configuration:
        """Read the file. Raises ConfigError if it is missing or invalid."""
        return read_file(self.path)


class MappingSource:
    """A configuration in Django's settings. It does not change while the process runs."""

    has_endpoint = True

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self.mapping = mapping

    def revision(self) -> Hashable:
        """Return a constant, because the settings do not change."""
        return "settings"

    def load(self) -> Configuration:
        """Read the mapping. Raises ConfigError if it is invalid."""
        return read_mapping(self.mapping, base_directory(), source="settings.WAMP_TRANSPORT['CONFIG']")


class DatabaseSource:
    """The configuration in the database.

    In DEBUG mode, a built-in service is used until a transport in the database has a path.
    """

    has_endpoint = False

    def revision(self) -> Hashable:
        """Return the revision number of the configuration in the database."""
        return rows.revision()

    def load(self) -> Configuration:
        """Read the configuration from the database. Raises ConfigError if it is invalid."""
        is_empty = rows.is_empty()
        stored = Configuration("database", base_directory(), (), ()) if is_empty else rows.load(base_directory())
        served = self.served(stored)
        self.has_endpoint = not is_empty and served is stored
        return served

    def served(self, stored: Configuration) -> Configuration:
        """Return the configuration that a node runs if the database contains ``stored``."""
        return with_builtin_service(stored) if self.has_builtin_service else stored

    @property
    def has_builtin_service(self) -> bool:
        """Whether there is a built-in service while no transport has a path."""
        return bool(settings.DEBUG)


def choose_source(node: str | None = None) -> Source:
    """Return the source of the configuration.

    This is the file or directory ``node`` if given, otherwise the setting ``CONFIG`` if set, otherwise the database.
    """
    if node is not None:
        return FileSource(node)
    config = app_settings().config
    if config is None:
        return DatabaseSource()
    if isinstance(config, Mapping):
        return MappingSource(config)
    return FileSource(config)


@contextmanager
def config_of_command(path: str | None) -> Iterator[None]:
    """Context manager: record that the command runs with the configuration at ``path`` instead of the project's.

    :func:`has_command_configuration` returns True in the block, unless ``path`` is None.
    """
    global _path_of_command  # noqa: PLW0603 - a process runs one command
    before, _path_of_command = _path_of_command, path
    try:
        yield
    finally:
        _path_of_command = before


def has_command_configuration() -> bool:
    """Return whether the running command uses the configuration in its option ``--config`` instead of the project's."""
    return _path_of_command is not None


_path_of_command: str | None = None


def base_directory() -> Path:
    """Return the base directory for relative paths in a configuration that does not come from a file."""
    return Path(getattr(settings, "BASE_DIR", None) or Path.cwd())
