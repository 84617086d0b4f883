"""A dynamic authorizer by Autobahn|Python, as a program: arguments are the router's URL and the realm.

It allows what is below ``com.open.``, remembers that for ``com.open.kept``, tells who publishes to ``com.open.told``,
fails for ``com.broken`` and takes its time for ``com.slow``. What it was asked is printed.
"""

import asyncio
import json
import sys
from typing import Any

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.types import RegisterOptions


class Authorizer(ApplicationSession):
    """Registers the procedure that decides."""

    async def onJoin(self, details: Any) -> None:
        """WELCOME was received."""
        await self.register(self.authorize, "com.example.authorize", options=RegisterOptions(details_arg="details"))
        print("ready", flush=True)

    async def authorize(
        self, session: dict[str, Any], uri: str, action: str, options: dict[str, Any], details: Any
    ) -> Any:
        """The decision."""
        asked = {"role": session["authrole"], "uri": uri, "action": action, "options": options}
        print(json.dumps({**asked, "caller": details.caller_authrole, "keys": sorted(session)}), flush=True)
        if uri == "com.broken":
            raise RuntimeError("secret")
        if uri == "com.slow":
            await asyncio.sleep(60)
        is_open = uri.startswith("com.open.")
        if uri in ("com.open.kept", "com.open.told"):
            return {"allow": True, "cache": uri == "com.open.kept", "disclose": uri == "com.open.told"}
        return {"allow": "maybe"} if uri == "com.odd" else is_open


if __name__ == "__main__":
    ApplicationRunner(sys.argv[1], sys.argv[2]).run(Authorizer)
