"""Writes the generated pages of the documentation: ``python docs/generate.py``.

``features.md`` comes from the announced features and the protocol test of each; ``configuration.md`` from the schema;
``clients.md`` from the table that the tests of client libraries run by, and the examples.
"""

import ast
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from tests.integration.abilities import FEATURES, LACKS, LIBRARIES  # noqa: E402 - found by the line above
from wamp_transport.config.reference import markdown  # noqa: E402 - found by the line above
from wamp_transport.wamp.features import BROKER_FEATURES, DEALER_FEATURES  # noqa: E402

CLIENTS_HEAD = """# Client libraries

These libraries are tried against the router in its tests, each with itself and with others, in every serializer it has:
joining, leaving and joining again, topics, patterns, calls, errors with arguments, shared procedures, unicode, binary
values, integers up to 2^53, half a megabyte at once, `null` and `undefined` options.

## What to watch for

- A publisher does not receive its own event unless it says `exclude_me: false`.
- Timeouts of calls are milliseconds, as the specification has it. Autobahn|Python's documentation says seconds; what
  it sends is the number it was given.
- Cancelling with mode `kill` waits for the procedure and passes on what that answers. In Autobahn|Python let the
  procedure turn `CancelledError` into `ApplicationError("wamp.error.canceled")`;
  else the caller gets `wamp.error.runtime_error`.
- An option of a wrong type is a protocol violation: the session ends with ABORT, which names the option.
- Autobahn|JS: cancel with `{mode: "kill"}`. In the other modes it forgets the call, takes the router's answer for a
  violation and closes the connection.
- Progressive results need a callee that announces call canceling. Autobahn|JS does not, wampy.js announces neither:
  the router does not ask them for progressive results, and wampy.js must not send any.
- wampy.js throws an exception when it unsubscribes from what it subscribed to with options, even `{}`.
- Binary values in JSON are strings that begin with U+0000. Of these libraries only Autobahn|Python turns them into
  bytes.
- xconn takes messages of a megabyte at most and ends the session at a larger one.
- Not tried: wampy for Python (1.1.0), whose requirements are pinned to old versions of packages.
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


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {"features.md": features(), "configuration.md": markdown(), "clients.md": clients()}


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
