"""Writes the generated pages of the documentation: ``python docs/generate.py``.

``features.md`` comes from the announced features and the protocol test of each; ``configuration.md`` from the schema.
"""

import ast
import sys
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))

from wamp_transport.config.reference import markdown  # noqa: E402 - found by the line above
from wamp_transport.wamp.features import BROKER_FEATURES, DEALER_FEATURES  # noqa: E402

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


def pages() -> dict[str, str]:
    """The generated pages by file name."""
    return {"features.md": features(), "configuration.md": markdown()}


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text)
