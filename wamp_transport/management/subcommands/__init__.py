"""The subcommands of ``manage.py wamp``, each in a separate module."""

from wamp_transport.management.subcommands.bench import BenchCommand
from wamp_transport.management.subcommands.call import CallCommand
from wamp_transport.management.subcommands.check import CheckCommand
from wamp_transport.management.subcommands.clearcookies import ClearCookiesCommand
from wamp_transport.management.subcommands.clearhistory import ClearHistoryCommand
from wamp_transport.management.subcommands.explain import ExplainCommand
from wamp_transport.management.subcommands.export import ExportCommand
from wamp_transport.management.subcommands.handlers import HandlersCommand
from wamp_transport.management.subcommands.hash_secret import HashSecretCommand
from wamp_transport.management.subcommands.importing import ImportCommand
from wamp_transport.management.subcommands.init import InitCommand
from wamp_transport.management.subcommands.keygen import KeygenCommand
from wamp_transport.management.subcommands.kill import KillCommand
from wamp_transport.management.subcommands.nodes import NodesCommand
from wamp_transport.management.subcommands.publish import PublishCommand
from wamp_transport.management.subcommands.register import RegisterCommand
from wamp_transport.management.subcommands.schema import SchemaCommand
from wamp_transport.management.subcommands.sessions import SessionsCommand
from wamp_transport.management.subcommands.subcommand import Subcommand
from wamp_transport.management.subcommands.subscribe import SubscribeCommand
from wamp_transport.management.subcommands.token import TokenCommand
from wamp_transport.management.subcommands.uri_lists import registrations, subscriptions

SUBCOMMANDS: tuple[Subcommand, ...] = (
    InitCommand(),
    CheckCommand(),
    ExplainCommand(),
    ImportCommand(),
    ExportCommand(),
    ClearCookiesCommand(),
    ClearHistoryCommand(),
    SchemaCommand(),
    TokenCommand(),
    KeygenCommand(),
    HashSecretCommand(),
    HandlersCommand(),
    CallCommand(),
    PublishCommand(),
    SubscribeCommand(),
    RegisterCommand(),
    NodesCommand(),
    SessionsCommand(),
    registrations(),
    subscriptions(),
    KillCommand(),
    BenchCommand(),
)

__all__ = ["SUBCOMMANDS", "Subcommand"]
