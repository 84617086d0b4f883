"""The bare echo server, which takes the place of a WAMP connection on the fast path, echoes messages."""

from pathlib import Path

import pytest

from benchmarks.servers import bare
from benchmarks.wampload.cli import OK, main


def test_bare_echo_server_echoes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bare(tmp_path, {}) as server:
        exit_code = main(["echo", "--url", server.url, "--connections", "2", "--duration", "0.2", "--warmup", "0.05"])
    assert exit_code == OK, capsys.readouterr().err
