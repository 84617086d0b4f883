"""What ``manage.py wamp`` can do, one module each."""

from wamp_transport.management.subcommands.bench import Bench
from wamp_transport.management.subcommands.call import Call
from wamp_transport.management.subcommands.check import Check
from wamp_transport.management.subcommands.explain import Explain
from wamp_transport.management.subcommands.export import Export
from wamp_transport.management.subcommands.handlers import Handlers
from wamp_transport.management.subcommands.importing import Import
from wamp_transport.management.subcommands.init import Init
from wamp_transport.management.subcommands.keygen import Keygen
from wamp_transport.management.subcommands.kill import Kill
from wamp_transport.management.subcommands.publish import Publish
from wamp_transport.management.subcommands.purge import Purge
from wamp_transport.management.subcommands.reference import Reference
from wamp_transport.management.subcommands.register import Register
from wamp_transport.management.subcommands.secret import Secret
from wamp_transport.management.subcommands.sessions import Sessions
from wamp_transport.management.subcommands.subcommand import Subcommand
from wamp_transport.management.subcommands.subscribe import Subscribe
from wamp_transport.management.subcommands.token import Token
from wamp_transport.management.subcommands.uri_lists import registrations, subscriptions

SUBCOMMANDS: tuple[Subcommand, ...] = (
    Init(),
    Check(),
    Explain(),
    Import(),
    Export(),
    Purge(),
    Reference(),
    Token(),
    Keygen(),
    Secret(),
    Handlers(),
    Call(),
    Publish(),
    Subscribe(),
    Register(),
    Sessions(),
    registrations(),
    subscriptions(),
    Kill(),
    Bench(),
)

__all__ = ["SUBCOMMANDS", "Subcommand"]
