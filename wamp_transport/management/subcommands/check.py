"""``wamp check``: find the errors in a configuration file, or in the configuration of the project."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from wamp_transport.auth import sealing
from wamp_transport.bootstrap.cluster import find_url_fault, unshared_stores
from wamp_transport.bootstrap.redis_server import inspect_redis
from wamp_transport.bootstrap.sources import DatabaseSource, FileSource, choose_source
from wamp_transport.conf import app_settings
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.report import ConfigError, Location, Problem, Report, path_text
from wamp_transport.management.subcommands.subcommand import report_error, show_notices, show_report
from wamp_transport.stores import configuration as store
from wamp_transport.stores.connections import has_database, require_database
from wamp_transport.stores.identity import user_roles


def _in_the_clear(value: Any, place: Location = ()) -> Iterator[Location]:
    """Yield the locations of plain-text secrets in a part of a configuration. ``place`` is the location of the part."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "auth":
                yield from ((*place, key, *found) for found in sealing.in_the_clear(item))
            else:
                yield from _in_the_clear(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _in_the_clear(item, (*place, index))


class CheckCommand:
    """The subcommand ``check``. It reads a configuration and reports all errors and notices."""

    name = "check"
    help = (
        "Check a configuration and report all faults. Without PATH, check the configuration in the database (or that "
        "of the setting CONFIG), the roles of Django users and the Redis server of the cluster. The exit code is 1 if "
        "there are any faults."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", metavar="PATH", nargs="?", help="a node directory, a .crossbar directory or a file")

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        path = options["path"]
        source = choose_source(path)
        if isinstance(source, DatabaseSource):
            require_database()
        if path is None and has_database() and not store.is_migrated():
            raise store.NotMigrated
        try:
            configuration = source.load()
        except ConfigError as error:
            show_report(command, error.report)
            raise report_error(error.report) from None
        found: tuple[Problem, ...] = ()
        if path is None:
            found = tuple(Problem("", fault) for fault in user_roles.faults(configuration))
            found += tuple(_check_cluster(command, configuration))
        report = Report(configuration.source, found)
        show_report(command, report)
        show_notices(command, configuration)
        if isinstance(source, FileSource):
            _show_plain_secrets(command, report.source)
        if report.faults:
            raise report_error(report)
        command.stdout.write(command.style.SUCCESS(f"{report.source}: no faults"))


def _check_cluster(command: BaseCommand, configuration: Configuration) -> Iterator[Problem]:
    """Yield the reasons why this configuration or the Redis server cannot be used for the cluster in the settings.

    Also print warnings about the Redis server. If the settings contain no cluster, do nothing.
    """
    cluster = app_settings().cluster
    if cluster is None:
        return
    yield from unshared_stores(configuration)
    if fault := find_url_fault(cluster.url):
        yield Problem("", fault)
        return
    findings = inspect_redis(cluster.url)
    if findings.is_unreachable:
        command.stdout.write(f"The Redis server of the cluster was not checked: {findings.fault}")
    elif findings.fault:
        yield Problem("", findings.fault)
    if findings.warning:
        command.stdout.write(findings.warning)


def _show_plain_secrets(command: BaseCommand, file: str) -> None:
    """Print the locations of secrets in plain text in a configuration file."""
    clear = [path_text(place) for place in _in_the_clear(json.loads(Path(file).read_text("utf-8-sig")))]
    if clear:
        command.stdout.write(f"Secrets in plain text: {', '.join(clear)}")
        command.stdout.write(
            'Use "${NAME}" to read a secret from the environment, or `wamp hash-secret` to store only its hash.'
        )
