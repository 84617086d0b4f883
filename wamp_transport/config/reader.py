"""Read a configuration from a file, a string or a mapping. All functions raise ConfigError if it is invalid."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wamp_transport.config.checker import check, problems
from wamp_transport.config.configuration import Configuration, build, missing_directories, tls_findings
from wamp_transport.config.crosschecks import check_across, enabled
from wamp_transport.config.dialects import OF_FILES, dialect_findings
from wamp_transport.config.node import Node
from wamp_transport.config.normalize import RepeatedKeys
from wamp_transport.config.report import ConfigError, Problem, Report, short
from wamp_transport.config.section import Finding
from wamp_transport.router.options import Dialect

MAX_FILE_BYTES = 16 * 1024 * 1024

_DIRECTORY = ".crossbar"
_FILE = "config.json"


def read_file(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> Configuration:
    """Read the configuration from a file, or from a directory with ``.crossbar/config.json`` or ``config.json`` in it.

    Relative paths in the configuration are relative to the directory of the file. Raises ConfigError if there is no
    such file, or if the configuration is invalid.
    """
    file = find_file(Path(path))
    return read_mapping(
        _parse(_text_of(file), str(file)), file.parent, source=str(file), environ=environ, dialect=OF_FILES
    )


def read_text(
    text: str,
    base_dir: str | os.PathLike[str],
    *,
    source: str = "text",
    environ: Mapping[str, str] | None = None,
) -> Configuration:
    """Read the configuration from JSON text. Raises ConfigError if it is invalid."""
    return read_mapping(_parse(text, source), base_dir, source=source, environ=environ)


def read_mapping(
    mapping: Any,
    base_dir: str | os.PathLike[str],
    *,
    source: str = "settings",
    environ: Mapping[str, str] | None = None,
    dialect: Dialect = "specification",
) -> Configuration:
    """Read the configuration from a mapping in the format of config.json. Raises ConfigError if it is invalid.

    ``source`` is the name of the mapping in reports. ``environ`` contains the values for ``$NAME``, by default the
    process's environment. ``dialect`` is the dialect of each realm that does not name one.
    """
    environ = os.environ if environ is None else environ
    checked = check(Node, mapping, environ)
    sections = enabled(checked.sections, environ)
    findings = [*_of_enabled(checked.findings, checked.sections, sections), *check_across(sections, environ)]
    findings += dialect_findings(sections, dialect)
    if checked.value is None or any(finding.level == "fault" for finding in findings):
        raise ConfigError(_report(source, problems(findings, checked.data)))
    configuration, more = build(checked.value, source, Path(base_dir), dialect)
    found = problems([*findings, *more], checked.data)
    found += tls_findings(configuration)
    found += [
        Problem(
            f"{service.config_path}.directory",
            f'there is no directory "{short(directory, 200)}"; this path answers 404',
            level="ignored",
        )
        for service, directory in missing_directories(configuration)
    ]
    if any(problem.level == "fault" for problem in found):
        raise ConfigError(_report(source, found))
    return replace(configuration, report=_report(source, found))


def _of_enabled(findings: tuple[Finding, ...], everything: Any, sections: Any) -> list[Finding]:
    """Return the findings, except notices about disabled workers. Errors in disabled workers are included."""
    kept = {found.location[:2] for found in sections}
    left_out = {found.location[:2] for found in everything} - kept
    return [finding for finding in findings if finding.level == "fault" or finding.location[:2] not in left_out]


def _report(source: str, found: list[Problem]) -> Report:
    return Report(
        source,
        faults=tuple(problem for problem in found if problem.level == "fault"),
        notices=tuple(problem for problem in found if problem.level == "ignored"),
    )


def _refuse(source: object, message: str, hint: str = "") -> ConfigError:
    return ConfigError(Report(str(source), faults=(Problem("", message, hint),)))


def find_file(path: Path) -> Path:
    """Return the configuration file for ``path``, which is a file or a node directory.

    Raises ConfigError if there is no file, if it is in YAML, or if the path cannot be read.
    """
    try:
        if path.is_dir():
            for directory in (path / _DIRECTORY, path):
                if (directory / _FILE).is_file():
                    return directory / _FILE
            for directory in (path / _DIRECTORY, path):
                if (directory / "config.yaml").exists():
                    raise _refuse(directory / "config.yaml", *_YAML)
            raise _refuse(path, f"no {_FILE} here, nor in a {_DIRECTORY} directory below")
        if path.suffix.lower() in (".yaml", ".yml"):
            raise _refuse(path, *_YAML)
        if not path.exists():
            raise _refuse(path, "no such file or directory")
        if not path.is_file():
            raise _refuse(path, "neither a file nor a directory")
    except (OSError, ValueError) as error:
        raise _refuse(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return path


_YAML = ("YAML is not offered", f"write the configuration as JSON, to {_FILE}")


def _text_of(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _refuse(file, f"cannot be read: {error.strerror}") from None
    if len(content) > MAX_FILE_BYTES:
        raise _refuse(file, f"larger than {MAX_FILE_BYTES} bytes (16 MiB)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refuse(file, f"line {line}: not valid UTF-8") from None


def _parse(text: str, source: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        message = f"not valid JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        raise _refuse(source, message, _json_hint(text, error.pos)) from None
    except RecursionError:
        raise _refuse(source, "nested too deeply") from None
    except ValueError:
        raise _refuse(source, "a number has too many digits") from None


def _json_hint(text: str, position: int) -> str:
    rest = text[position : position + 2]
    before = text[:position].rstrip()[-1:]
    if rest.startswith(("//", "/*", "#")):
        return "JSON has no comments"
    if rest.startswith(","):  # from Python 3.13 on, the position is that of the comma
        before, rest = ",", text[position + 1 :].lstrip()
    if before == "," and rest[:1] in ("}", "]"):
        return "JSON allows no comma after the last item"
    return "JSON needs double quotes" if rest.startswith("'") else ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    counted: dict[str, int] = {}
    for key, _ in pairs:
        counted[key] = counted.get(key, 0) + 1
    return RepeatedKeys(pairs, tuple(key for key, count in counted.items() if count > 1))
