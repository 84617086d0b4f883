"""What a subcommand is, and how it tells what it found."""

from collections.abc import Mapping
from typing import Any, Protocol

from django.core.management.base import BaseCommand, CommandError, CommandParser

from wamp_transport.config.report import Report


class Subcommand(Protocol):
    """One word after ``manage.py wamp``."""

    name: str
    help: str

    def add_arguments(self, parser: CommandParser) -> None:
        """Say which arguments there are."""
        ...

    def run(self, command: BaseCommand, options: Mapping[str, Any]) -> None:
        """Do it; write to the command's streams. Raises CommandError."""
        ...


def show_report(command: BaseCommand, report: Report) -> None:
    """Write every fault and every notice, one a line."""
    for problem in report.faults:
        command.stdout.write(f"{command.style.ERROR('fault')}   {problem}")
    for problem in report.notices:
        command.stdout.write(f"{command.style.WARNING('notice')}  {problem}")


def report_error(report: Report) -> CommandError:
    """The error to raise where a report has faults."""
    count = len(report.faults)
    return CommandError(f"{report.source}: {count} {'fault' if count == 1 else 'faults'}", returncode=1)
