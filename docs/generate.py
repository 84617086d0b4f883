"""Writes the generated pages of the documentation: ``python docs/generate.py``.

``features.md`` comes from the announced features and the protocol test of each; ``configuration.md`` and what
``migrating.md`` says of configurations from the schema;
``commands.md`` from the subcommands of ``manage.py wamp``;
``clients.md`` from the table that the tests of client libraries run by, and the examples.
(``differences.md`` needs Crossbar: ``make differences``.)
"""

import argparse
import ast
import os
import sys
from pathlib import Path

import django

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "wampnode.settings")
django.setup()

from tests.integration.abilities import FEATURES, LACKS, LIBRARIES, METHODS  # noqa: E402 - found by the line above
from wamp_transport.config.reference import markdown, unoffered  # noqa: E402 - found by the line above
from wamp_transport.management.subcommands import SUBCOMMANDS, Subcommand  # noqa: E402 - found by the line above
from wamp_transport.wamp.features import BROKER_FEATURES, DEALER_FEATURES  # noqa: E402

CLIENTS_HEAD = """# Client libraries

These libraries are tried against the router in its tests, each with itself and with others, in every serializer it has:
joining, leaving and joining again, topics, patterns, calls, errors with arguments, shared procedures, unicode, binary
values, integers up to 2^53 (64 bits where the language has them), half a megabyte at once, `null` and `undefined`
options.

## What to watch for

- A publisher does not receive its own event unless it says `exclude_me: false`.
- Timeouts of calls are milliseconds, as the specification has it. Autobahn|Python's documentation says seconds; what
  it sends is the number it was given.
- Cancelling with mode `kill` waits for the procedure and passes on what that answers. In Autobahn|Python let the
  procedure turn `CancelledError` into `ApplicationError("wamp.error.canceled")`;
  else the caller gets `wamp.error.runtime_error`.
- An option of a wrong type, or with a value that its list does not have (`match: "regex"`), is a protocol violation:
  the session ends with ABORT, which names the option. A message that cannot be read ends the session by the
  specification ("Protocol Errors"), and its own test vectors count such options among those. `null` and `undefined`
  are no fault: the option counts as not given. A URI that is invalid fails its request alone.
- Autobahn|JS: cancel with `{mode: "kill"}`. In the other modes it forgets the call, takes the router's answer for a
  violation and closes the connection.
- Progressive results work with callees that do not announce them or call canceling (Autobahn|JS, wampy.js). Such a
  callee cannot be told to stop when its caller has left. The realm option `strict_progress` demands the announcements.
- wampy.js throws an exception when it unsubscribes from what it subscribed to with options, even `{}`.
- Binary values in JSON are strings that begin with U+0000. Of these libraries only Autobahn|Python turns them into
  bytes.
- xconn takes messages of a megabyte at most and ends the session at a larger one.
- Progressive call invocations: wampy.js sends and takes them without announcing it, which is accepted. A callee that
  announces call canceling but not these, such as Autobahn|Python, is not sent any: it closes its connection at a
  second INVOCATION with the same id.
- Not tried: wampy for Python (1.1.0), whose requirements are pinned to old versions of packages.
"""

LOGINS_HEAD = """
## How each logs in

Each method is tried with right and wrong credentials and with an authid that nobody has. A function of your own that
answers the challenge adds further ones where a library takes one.

| library | methods it has |
|---|---|
"""

EXAMPLES = {
    "autobahn-python": "autobahn_python.py",
    "autobahn-js": "autobahn_js.mjs",
    "wampy": "wampy_js.mjs",
    "xconn": "xconn_client.py",
    "swampyer": "swampyer_client.py",
}

FEATURES_HEAD = """# Features of the WAMP specification

The basic profile is complete. Of the advanced profile the router announces in WELCOME what this table lists, and
nothing else. Each feature has a test file that shows it to work, bytes in and bytes out, in every serializer.

| feature | broker | dealer | section | test |
|---|---|---|---|---|
"""


def features() -> str:
    """The table of announced features."""
    rows = []
    for feature in sorted({*BROKER_FEATURES, *DEALER_FEATURES}):
        test = ROOT / "tests" / "protocol" / f"test_{feature}.py"
        shown = (ast.get_docstring(ast.parse(test.read_text())) or "").partition("\n")[0]
        roles = ("yes" if feature in BROKER_FEATURES else "", "yes" if feature in DEALER_FEATURES else "")
        link = f"[{test.name}](../tests/protocol/{test.name})"
        rows.append(f"| `{feature}` | {roles[0]} | {roles[1]} | {shown} | {link} |\n")
    return FEATURES_HEAD + "".join(rows)


def clients() -> str:
    """What each client library can do, why it cannot do the rest, and an example of each."""
    libraries = [library for library in LIBRARIES if library != "demo"]
    text = CLIENTS_HEAD + "\n## Versions and serializers\n\n| library | version tried | serializers |\n|---|---|---|\n"
    for library in libraries:
        version, serializers = LIBRARIES[library]
        text += f"| {library} | {version} | {', '.join(serializers)} |\n"
    text += LOGINS_HEAD
    for library in libraries:
        text += f"| {library} | {', '.join(('anonymous', *METHODS[library]))} |\n"
    text += "\n## What each can do\n\n"
    text += "Where nothing is said otherwise it works in every serializer above, also between different libraries and\n"
    text += f"serializers.\n\n| | {' | '.join(libraries)} |\n|---|{'---|' * len(libraries)}\n"
    for feature, meaning in FEATURES.items():
        text += f"| {meaning} | {' | '.join('no' if feature in LACKS[name] else 'yes' for name in libraries)} |\n"
    for library in libraries:
        text += f"\n### What {library} lacks\n\n"
        text += "".join(f"- {FEATURES[feature]}: {reason}\n" for feature, reason in LACKS[library].items())
    text += "\n## Examples\n\nEach takes the address, say `ws://localhost:8000/ws`, as its argument.\n"
    for library, name in EXAMPLES.items():
        language = "python" if name.endswith(".py") else "js"
        code = (ROOT / "examples" / "clients" / name).read_text()
        text += f"\n### {library}\n\n```{language}\n{code}```\n"
    return text


MIGRATING_HEAD = """# Coming from Crossbar.io

    python manage.py wamp check path/to/node        # what is understood, what is ignored, what must change
    python manage.py runserver --config path/to/node  # run config.json as it is
    python manage.py wamp import path/to/node       # or take it into the database, to be edited in the admin

`check` names every attribute by its path in the file. *Refused* ones keep the configuration from being used, because
running without them would be unsafe or pointless; *ignored* ones are reported and have no effect.

## What behaves differently

[Where Crossbar.io and wampnode differ](differences.md) tells it all, by scenario, as observed. What is met first:

| what | here | to have it as before |
|---|---|---|
| timeouts of calls | milliseconds, `wamp.error.timeout` | realm option `timeouts_in_seconds: true` |
| protocol violations | ABORT with the reason, then close 1002; faults that went unnoticed count | mend the client |
| ABORT | ends the connection | connect again for another try |
| denied logins | `wamp.error.authentication_denied`, not `not_authorized` | |
| authenticators that fail or are not there | `wamp.error.authentication_failed` | |
| `wamp.session.on_leave` | three arguments: session, authid, authrole | take the first |
| progressive results | only for callers that ask with `receive_progress` | ask |
| `disclose_me` | honoured | realm option `allow_disclose_me: false` refuses it |
| RESULT | does not name the callee | let the callee tell it in the result |
| empty `eligible` lists | nobody receives the event | leave the list out |
| permissions | exact before longest prefix before wildcard, of those that match | look at overlapping rules |
| pattern subscriptions | never deliver what the role may not subscribe to | allow the topics |
| refused origins | 403; a pattern without port means the scheme's own | |
| session details | no `x_cb_*` keys; `agent` names the router | |

## What of a configuration is not carried out

Everything else of Crossbar's `config.json` is; see the [configuration reference](configuration.md).

| where | keys | | why, or what to do |
|---|---|---|---|
"""


def migrating() -> str:
    """How to come from Crossbar, and what of its configuration is not carried out."""
    rows = []
    for place, keys, refused, instead in unoffered():
        named = ", ".join(f"`{key}`" for key in keys) or "all of it"
        rows.append(f"| `{place}` | {named} | {'refused' if refused else 'ignored'} | {instead} |\n")
    return MIGRATING_HEAD + "".join(sorted(rows, key=lambda row: "| refused |" not in row))


COMMANDS_HEAD = """# manage.py wamp

Every subcommand with its arguments. How to use those that speak to a router: [command-line.md](command-line.md).
Options of Django itself (`--settings`, `--traceback`, `-v`) stand before the subcommand.
"""

SHARED = "Those of every command that speaks to a router"


def commands() -> str:
    """From the subcommands' own parsers."""
    shared = [group for group in _groups(next(one for one in SUBCOMMANDS if one.name == "call")) if group.description]
    text = [COMMANDS_HEAD]
    for subcommand in SUBCOMMANDS:
        groups = _groups(subcommand)
        own = [group for group in groups if not group.description]
        text.append(f"\n## {subcommand.name}\n\n{subcommand.help}\n\n")
        text += [f"- {_told(action)}\n" for group in own for action in group._group_actions if action.dest != "help"]
        if len(own) < len(groups):
            text.append(f"- {SHARED.lower()}\n")
    text.append(f"\n## {SHARED}\n")
    for group in shared:
        text.append(f"\n**{str(group.title).capitalize()}.** {group.description}\n\n")
        text += [f"- {_told(action)}\n" for action in group._group_actions]
    return "".join(text)


def _groups(subcommand: Subcommand) -> list[argparse._ArgumentGroup]:
    parser = argparse.ArgumentParser()
    subcommand.add_arguments(parser)  # type: ignore[arg-type]
    return parser._action_groups


def _told(action: argparse.Action) -> str:
    """An argument as it is written, and what it does."""
    value = action.metavar or (None if action.choices is None else "{" + ",".join(map(str, action.choices)) + "}")
    value = value or (None if action.nargs == 0 else action.dest.upper())
    name = ", ".join(action.option_strings)
    if not name:
        name = f"{value} ..." if action.nargs in ("*", "+") else str(value)
    elif value:
        name += f" {value}"
    words = (action.help or "") % {**vars(action), "prog": "manage.py wamp"}
    return f"`{name}`{': ' if words else ''}{words}"


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {
        "features.md": features(),
        "configuration.md": markdown(),
        "clients.md": clients(),
        "migrating.md": migrating(),
        "commands.md": commands(),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
