"""The interface of subcommands, and functions that print reports."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.config.configuration import Configuration, hidden_pages
from wamp_transport.config.report import Report


class Subcommand(Protocol):
    """A subcommand of ``manage.py wamp``."""

    name: str
    help: str

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the subcommand's arguments."""
        ...

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """Run the subcommand. Output goes to the streams of ``command``. Raises CommandError if it fails."""
        ...


def show_report(command: BaseCommand, report: Report) -> None:
    """Print all errors and notices, one on each line."""
    for problem in report.faults:
        command.stdout.write(f"{command.style.ERROR('fault')}   {problem}")
    for problem in report.notices:
        command.stdout.write(f"{command.style.WARNING('notice')}  {problem}")


def show_notices(command: BaseCommand, configuration: Configuration) -> None:
    """Print the notices of a configuration, and a notice for each service that hides the pages of Django."""
    report = configuration.report
    show_report(command, replace(report, notices=(*report.notices, *hidden_pages(configuration))))


def report_error(report: Report) -> CommandError:
    """Return the exception to raise for a configuration that cannot be used."""
    count = len(report.faults)
    return CommandError(f"{report.source}: {count} {'fault' if count == 1 else 'faults'}", returncode=1)
