"""Log in with Autobahn|Python, which works with both routers: one process, one login after the other."""

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any

from tests.integration.servers import environment_of

TOLD = ("realm", "authid", "authrole", "authmethod", "authprovider")
SECONDS = 30.0


class Autobahn:
    """The process. It carries out logins in order."""

    def __init__(self) -> None:
        command = [sys.executable, "-u", "-m", "tests.integration.drivers.autobahn_logins"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment_of(),
            text=True,
        )
        self._waiting: SimpleQueue[Future[dict[str, Any]]] = SimpleQueue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Autobahn":
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()

    def start(self, login: Mapping[str, Any]) -> "Future[dict[str, Any]]":
        """Start a login and return its future outcome. See the driver for the form of outcomes."""
        assert self._process.stdin is not None
        outcome: Future[dict[str, Any]] = Future()
        self._waiting.put(outcome)
        self._process.stdin.write(json.dumps({"tell": TOLD, "seconds": 8, **login}) + "\n")
        self._process.stdin.flush()
        return outcome

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._waiting.get().set_result(json.loads(line))


def words(outcome: Mapping[str, Any]) -> str:
    """Describe how a login ended. The messages of ABORT are for people and are not compared."""
    if "reason" in outcome:
        return f"ABORT {outcome['reason']}"
    if "fault" in outcome:
        return str(outcome["fault"])
    authid = "a random authid" if len(outcome["authid"]) > 14 and "@" not in outcome["authid"] else outcome["authid"]
    return f"WELCOME {authid} as {outcome['authrole']} in {outcome['realm']}, {outcome['authprovider']}"
