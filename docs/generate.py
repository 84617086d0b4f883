"""Write the generated pages of the documentation: ``python docs/generate.py``.

- ``features.md`` is generated from the announced features and their protocol tests.
- ``configuration.md`` and the unsupported keys in ``migrating.md`` are generated from the configuration schema.
- ``commands.md`` is generated from the argument parsers of the subcommands of ``manage.py wamp``.
- ``clients.md`` is generated from the examples and from the table that also controls the tests of client libraries.
- The tables of defaults and limits in ``security.md`` are generated from the code. The rest of that page is written by
  hand.

``make differences`` writes ``differences.md``, because that page needs an installation of Crossbar.
"""

import argparse
import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import django

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "wampnode.settings")
django.setup()

from tests.integration.abilities import FEATURES, LACKS, LIBRARIES, METHODS  # noqa: E402 - found by the line above
from tools.limits import with_tables  # noqa: E402 - found by the line above
from wamp_transport.config.reference import markdown, unoffered  # noqa: E402 - found by the line above
from wamp_transport.management.subcommands import SUBCOMMANDS, Subcommand  # noqa: E402 - found by the line above
from wamp_transport.wamp.features import BROKER_FEATURES, DEALER_FEATURES  # noqa: E402

CLIENTS_HEAD = """# Client libraries

The tests connect each of these libraries through the router with itself and with the others, in all serializers that
the library supports. They cover joining, leaving and joining again, topics, patterns, calls, errors with arguments,
shared registrations, Unicode, binary values, integers up to 2^53 (64 bits if the language supports them), payloads of
half a megabyte, and options that are `null` or `undefined`.

## What to watch for

For all libraries:

- A publisher does not receive its own event unless it publishes with `exclude_me: false`.
- Call timeouts are in milliseconds, as in the specification.
- An option with a wrong type or an unknown value (`match: "regex"`) is a protocol violation. The router closes the
  session with an ABORT whose message names the option. According to the specification, a message that cannot be parsed
  ends the session (section "Protocol Errors"), and its test vectors treat such options in the same way. The values
  `null` and `undefined` are allowed and have the same meaning as a missing option.
- A request with an invalid URI fails, but the session continues.
- If a call is canceled with mode `kill`, the router waits for the procedure and sends its result or error to the
  caller.
- A callee can send progressive results even if it announces neither them nor call canceling. The realm option
  `strict_progress` requires both announcements. A callee that does not announce call canceling cannot be stopped when
  the caller leaves.
- Binary values in JSON are strings that begin with U+0000. Of these libraries only Autobahn|Python converts them to
  bytes.

For individual libraries:

- Autobahn|Python: pass timeouts in milliseconds. The library's documentation says seconds, but it sends the number
  unchanged.
- Autobahn|Python: if calls of a procedure are canceled with mode `kill`, convert `CancelledError` in the procedure to
  `ApplicationError("wamp.error.canceled")`. Otherwise the caller gets `wamp.error.runtime_error`.
- Autobahn|Python: the router sends no progressive call invocations to it. The library announces call canceling but not
  progressive call invocations, and closes the connection when it receives a second INVOCATION with the same id.
- Autobahn|JS: cancel calls with `{mode: "kill"}`. In the other modes the library forgets the call, treats the router's
  reply as a protocol violation, and closes the connection.
- wampy.js: it raises an exception when you unsubscribe from a subscription that was made with options, even `{}`.
- wampy.js: it sends and accepts progressive call invocations without announcing them. The router accepts this.
- xconn: it accepts messages of up to one megabyte, and ends the session when it receives a larger message.
- wampy for Python (1.1.0): not tested, because it requires old versions of other packages.
"""

LOGINS_HEAD = """
## Authentication methods

Each method is tested with correct and wrong credentials and with an unknown authid. If a library accepts a function
that answers the challenge, you can add other methods yourself.

| library | built-in methods |
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

The basic profile is complete. Of the advanced profile, the router supports the features in this table and announces
them in WELCOME. Each feature has a test file that checks the bytes on the wire, in every serializer.

| feature | broker | dealer | section | test |
|---|---|---|---|---|
"""


def features() -> str:
    """Return the page of announced features."""
    rows = []
    for feature in sorted({*BROKER_FEATURES, *DEALER_FEATURES}):
        test = ROOT / "tests" / "protocol" / f"test_{feature}.py"
        shown = (ast.get_docstring(ast.parse(test.read_text())) or "").partition("\n")[0]
        roles = ("yes" if feature in BROKER_FEATURES else "", "yes" if feature in DEALER_FEATURES else "")
        link = f"[{test.name}](../tests/protocol/{test.name})"
        rows.append(f"| `{feature}` | {roles[0]} | {roles[1]} | {shown} | {link} |\n")
    return FEATURES_HEAD + "".join(rows)


def clients() -> str:
    """Return the page of client libraries: the features of each, the reasons for missing features, and an example."""
    libraries = [library for library in LIBRARIES if library != "demo"]
    text = CLIENTS_HEAD + "\n## Versions and serializers\n\n| library | version tried | serializers |\n|---|---|---|\n"
    for library in libraries:
        version, serializers = LIBRARIES[library]
        text += f"| {library} | {version} | {', '.join(serializers)} |\n"
    text += LOGINS_HEAD
    for library in libraries:
        text += f"| {library} | {', '.join(('anonymous', *METHODS[library]))} |\n"
    text += "\n## What each library can do\n\n"
    text += "*Yes* means that it works in every serializer above, and between different libraries and serializers.\n\n"
    text += f"| | {' | '.join(libraries)} |\n|---|{'---|' * len(libraries)}\n"
    for feature, meaning in FEATURES.items():
        text += f"| {meaning} | {' | '.join('no' if feature in LACKS[name] else 'yes' for name in libraries)} |\n"
    for library in libraries:
        text += f"\n### What {library} lacks\n\n"
        text += "".join(f"- {FEATURES[feature]}: {reason}\n" for feature, reason in LACKS[library].items())
    text += "\n## Examples\n\nEach example takes a URL, such as `ws://localhost:8000/ws`, as its argument.\n"
    for library, name in EXAMPLES.items():
        language = "python" if name.endswith(".py") else "js"
        code = (ROOT / "examples" / "clients" / name).read_text()
        text += f"\n### {library}\n\n```{language}\n{code}```\n"
    return text


MIGRATING_HEAD = """# Coming from Crossbar.io

    python manage.py wamp check path/to/node        # report what is supported, ignored and refused
    python manage.py runserver --config path/to/node  # run config.json unchanged
    python manage.py wamp import path/to/node       # or load it into the database, to edit it in the admin

`check` reports every attribute with its path in the file. A configuration with a *refused* attribute cannot be used,
because running without the attribute would be unsafe or pointless. *Ignored* attributes are reported and have no
effect.

## What behaves differently

[Where Crossbar.io and wampnode differ](differences.md) lists every observed difference. The most important differences
are:

| subject | wampnode | what to do |
|---|---|---|
| call timeouts | milliseconds; the error is `wamp.error.timeout` | realm option `timeouts_in_seconds: true` |
| protocol violations | ABORT, then close code 1002; Crossbar does not detect all violations | correct the client |
| ABORT | closes the connection | connect again before you try to log in again |
| denied logins | `wamp.error.authentication_denied` instead of `not_authorized` | check for the new URI |
| authenticators that fail or do not exist | `wamp.error.authentication_failed` | check for the new URI |
| `wamp.session.on_leave` | three arguments, unless the dialect is `crossbar` | see the realm option `dialect` |
| progressive results | only for callers that request them with `receive_progress` | set the option |
| `disclose_me` | discloses the caller or publisher | realm option `allow_disclose_me: false` refuses it |
| RESULT | does not name the callee | include the callee's name in the result |
| empty `eligible` lists | nobody receives the event | omit the list |
| permissions | an exact rule decides, otherwise the longest prefix, otherwise a wildcard | review overlapping rules |
| pattern subscriptions | receive no events from topics to which the role may not subscribe | allow the topics |
| refused origins | status 403; a pattern without a port means the default port of the scheme | |
| session details | no `x_cb_*` keys; `agent` names the router | |

## Unsupported parts of a configuration

Everything else in Crossbar's `config.json` is supported; see the [configuration reference](configuration.md).

| location | keys or types | effect | reason, or what to do |
|---|---|---|---|
"""


def migrating() -> str:
    """Return the page on migrating from Crossbar, with the unsupported parts of its configuration."""
    rows = []
    for place, keys, refused, instead in unoffered():
        path, *types = place.split()
        named = ", ".join(f"`{each}`" for each in keys or types)
        rows.append(
            f"| `{path}` | {'' if keys else 'types '}{named} | {'refused' if refused else 'ignored'} | {instead} |\n"
        )
    return MIGRATING_HEAD + "".join(sorted(rows, key=lambda row: "| refused |" not in row))


COMMANDS_HEAD = """# manage.py wamp

This page lists all subcommands with their arguments. [command-line.md](command-line.md) is a guide to those that
connect to a router. Put Django's own options (`--settings`, `--traceback`, `-v`) before the subcommand.
"""

SHARED = "Arguments of every command that connects to a router"


def commands() -> str:
    """Return the page of subcommands, built from their argument parsers."""
    shared = [group for group in _groups(next(one for one in SUBCOMMANDS if one.name == "call")) if group.description]
    text = [COMMANDS_HEAD]
    for subcommand in SUBCOMMANDS:
        groups = _groups(subcommand)
        own = [group for group in groups if not group.description]
        text.append(f"\n## {subcommand.name}\n\n{subcommand.help}\n\n")
        text += [
            f"- {_described(action)}\n" for group in own for action in group._group_actions if action.dest != "help"
        ]
        text += [f"- required: {choices}\n" for choices in _required_choices(subcommand)]
        if len(own) < len(groups):
            text.append(f"- the [{SHARED[0].lower()}{SHARED[1:]}](#{SHARED.lower().replace(' ', '-')})\n")
    text.append(f"\n## {SHARED}\n")
    for group in shared:
        text.append(f"\n**{str(group.title).capitalize()}.** {group.description}\n\n")
        text += [f"- {_described(action)}\n" for action in group._group_actions]
    return "".join(text)


def _groups(subcommand: Subcommand) -> list[argparse._ArgumentGroup]:
    return _parser(subcommand)._action_groups


def _required_choices(subcommand: Subcommand) -> Iterator[str]:
    """Yield the options of which exactly one must be given, joined by "or"."""
    for group in _parser(subcommand)._mutually_exclusive_groups:
        if group.required:
            yield " or ".join(f"`{action.option_strings[0]}`" for action in group._group_actions)


def _parser(subcommand: Subcommand) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    subcommand.add_arguments(parser)  # type: ignore[arg-type]
    return parser


def _described(action: argparse.Action) -> str:
    """Return an argument as it is written on the command line, with its help text."""
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
    """Return the generated pages by file name."""
    return {
        "features.md": features(),
        "configuration.md": markdown(),
        "clients.md": clients(),
        "migrating.md": migrating(),
        "commands.md": commands(),
        "security.md": with_tables((DOCS / "security.md").read_text()),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
