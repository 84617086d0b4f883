"""swampyer logs in as each line of stdin says, and answers with a line on how that ended."""

import json
import sys
from typing import Any

import swampyer


class Client(swampyer.WAMPClientTicket):
    """Remembers the ABORT that it was answered with: swampyer's own exception leaves the URI out."""

    abort: Any = None

    def handle_abort(self, reason: Any) -> None:
        """ABORT was received."""
        self.abort = reason
        super().handle_abort(reason)


def outcome(login: dict[str, Any]) -> dict[str, Any]:
    """How one login ends."""
    client = Client(
        url=login["url"],
        realm=login["realm"],
        username=login["authid"],
        password=login["secret"],
        authmethods=[login["method"]],
        serializers=["json"],
        auto_reconnect=False,
    )
    try:
        client.start()
    except swampyer.ExAbort:
        client.shutdown()
        return {"reason": client.abort.reason, "message": client.abort.details.get("message")}
    details = client.peer.details
    client.disconnect()
    client.shutdown()
    return {name: details[name] for name in ("authid", "authrole", "authmethod")}


def main() -> None:
    """One login after the other."""
    output, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(outcome(json.loads(line))), file=output, flush=True)


if __name__ == "__main__":
    main()
