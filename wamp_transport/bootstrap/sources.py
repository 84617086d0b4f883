"""Where the configuration comes from: a file, a setting or the database; read in a thread, never on the loop."""

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from ..conf import app_settings
from ..config.configuration import Configuration
from ..config.defaults import development_default
from ..config.reader import find_file, read_file, read_mapping
from ..config.report import ConfigError
from ..stores import configuration as rows


class Source(Protocol):
    """A place to read the configuration from."""

    has_endpoint: bool
    """Whether what it says of ports was said by somebody; else the command's own default holds."""

    def revision(self) -> Hashable:
        """A value that differs when there is something new to read. Cheap."""
        ...

    def load(self) -> Configuration:
        """The configuration as it is now. Raises ConfigError."""
        ...


class FileSource:
    """A Crossbar node directory, ``.crossbar`` directory or configuration file."""

    has_endpoint = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def revision(self) -> Hashable:
        """Time and size of the file; None while it is missing."""
        try:
            status = find_file(self.path).stat()
        except (ConfigError, OSError):
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def load(self) -> Configuration:
        """See :class:`Source`."""
        return read_file(self.path)


class MappingSource:
    """A mapping in the settings; it changes only with the code."""

    has_endpoint = True

    def __init__(self, mapping: Mapping[str, Any]) -> None:
        self.mapping = mapping

    def revision(self) -> Hashable:
        """See :class:`Source`."""
        return "settings"

    def load(self) -> Configuration:
        """See :class:`Source`."""
        return read_mapping(self.mapping, base_directory(), source="settings.WAMP_TRANSPORT['CONFIG']")


class DatabaseSource:
    """What the admin edits. With nothing in it a development server serves a default, any other nothing."""

    has_endpoint = False

    def revision(self) -> Hashable:
        """See :class:`Source`."""
        return rows.revision()

    def load(self) -> Configuration:
        """See :class:`Source`."""
        if rows.is_empty():
            self.has_endpoint = False
            return development_default() if settings.DEBUG else Configuration("database", base_directory(), (), ())
        self.has_endpoint = True
        return rows.load(base_directory())


def choose_source(node: str | None = None) -> Source:
    """The source to use: the path given, else what the settings say, else the database."""
    if node is not None:
        return FileSource(node)
    config = app_settings().config
    if config is None:
        return DatabaseSource()
    if isinstance(config, Mapping):
        return MappingSource(config)
    return FileSource(config)


def base_directory() -> Path:
    """The directory that relative paths start from where no file gives one."""
    return Path(getattr(settings, "BASE_DIR", None) or Path.cwd())
