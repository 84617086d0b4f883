"""The commands of a project: each in a process of its own, as from a shell."""

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from .servers import ROOT, environment_of, manage


class Site:
    """A project with its database in ``directory``. ``wamp`` runs a command of it, forked off ``forking`` if given."""

    def __init__(self, directory: Path, forking=None):
        self.directory = directory
        self.environment = environment_of(
            WAMPNODE_DATABASE=str(directory / "live.sqlite3"), PYTHONWARNINGS="error", COLUMNS="200"
        )
        self._forking = forking

    @contextmanager
    def forking(self):
        """The same with commands that begin faster, as what they import is there already."""
        command = [sys.executable, "-m", "tests.integration.commands_process"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment, **pipes)
        try:
            yield Site(self.directory, process)
            process.stdin.close()
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def wamp(self, *arguments, stdin="", **environment):
        """What came of a command."""
        argv = ["wamp", *map(str, arguments)]
        if self._forking is not None and not environment:
            return self._forked(argv, stdin)
        return subprocess.run(
            manage(*argv),
            cwd=ROOT,
            env=self.environment | environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *arguments, **environment):
        """What a command writes with ``--json``, which succeeds and says no more."""
        done = self.wamp(*arguments, "--json", **environment)
        assert (done.returncode, done.stderr) == (0, ""), done
        return json.loads(done.stdout)

    @contextmanager
    def begun(self, *arguments):
        """A command that runs on, and says so."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = manage("wamp", "-v2", *arguments)
        process = subprocess.Popen(command, cwd=ROOT, env=self.environment, **pipes)
        try:
            assert "Ctrl-C" in process.stderr.readline()
            yield process
        finally:
            process.kill()
            process.communicate()

    def _forked(self, argv, stdin):
        names = [str(self.directory / f"{time.monotonic_ns()}.{name}") for name in ("in", "out", "err")]
        Path(names[0]).write_text(stdin)
        for name in names[1:]:
            Path(name).touch()
        self._forking.stdin.write(json.dumps({"argv": argv, "streams": names}) + "\n")
        self._forking.stdin.flush()
        code = int(self._forking.stdout.readline())
        out, err = (Path(name).read_text() for name in names[1:])
        return SimpleNamespace(returncode=code, stdout=out, stderr=err)
