"""Client libraries log in by every method they have, with right and wrong credentials."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..requirements import JAVASCRIPT, javascript_packages
from ..requirements import node as node_program
from .abilities import METHODS
from .servers import configuration, environment_of, free_port, node, web
from .test_authentication import LOGINS, PATHS, REALMS
from .test_cookies import migrated

pytestmark = [pytest.mark.integration, pytest.mark.full]

PYTHON_LIBRARIES = {"autobahn-python": "autobahn_logins", "xconn": "xconn_logins", "swampyer": "swampyer_logins"}
DENIED = {"reason": "wamp.error.authentication_denied"}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    directory: Path = tmp_path_factory.mktemp("node")
    migrated(directory)
    port = free_port()
    with node(directory, configuration(web(port, PATHS), realms=REALMS), port, TICKET="secret!!!"):
        yield port


def command_of(library: str) -> list[str]:
    if library in PYTHON_LIBRARIES:
        return [sys.executable, "-m", f"tests.integration.drivers.{PYTHON_LIBRARIES[library]}"]
    javascript_packages()
    return [node_program(), str(JAVASCRIPT / "logins.js"), library]


def outcomes(library: str, logins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How the logins of one library end."""
    lines = "".join(json.dumps(each) + "\n" for each in logins)
    program = subprocess.run(
        command_of(library), input=lines, capture_output=True, text=True, timeout=60, check=False, env=environment_of()
    )
    assert program.returncode == 0, program.stderr
    return [json.loads(line) for line in program.stdout.splitlines()]


@pytest.mark.parametrize("library", METHODS)
def test_library_logs_in_with_right_credentials_alone(port: int, library: str) -> None:
    logins, expected = [], []
    for method, authid, secret in LOGINS:
        if method not in METHODS[library]:
            continue
        where = {"url": f"ws://127.0.0.1:{port}/ws", "realm": "realm1", "method": method}
        wrong = "11" * 32 if method == "cryptosign" else f"{secret}!"
        logins += [{**where, "authid": authid, "secret": secret}, {**where, "authid": authid, "secret": wrong},
                   {**where, "authid": "nobody", "secret": secret}]  # fmt: skip
        expected += [{"authid": authid, "authrole": "frontend", "authmethod": method}, DENIED, DENIED]
    found = outcomes(library, logins)
    messages = {each.pop("message", None) for each in found if "reason" in each}
    assert found == expected
    assert len(messages) == 1
