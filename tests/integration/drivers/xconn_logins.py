"""xconn logs in as each line of stdin says, and answers with a line on how that ended."""

import asyncio
import json
import sys
from typing import Any

from wampproto import auth
from wampproto.exception import ApplicationError
from xconn.async_client import AsyncClient

METHODS = {
    "ticket": auth.TicketAuthenticator,
    "wampcra": auth.WAMPCRAAuthenticator,
    "cryptosign": auth.CryptoSignAuthenticator,
}


async def outcome(login: dict[str, Any]) -> dict[str, Any]:
    """How one login ends."""
    client = AsyncClient(METHODS[login["method"]](login["authid"], login["secret"]))
    try:
        session = await client.connect(login["url"], login["realm"])
    except ApplicationError as error:
        return {"reason": error.message}
    joined = session._base_session
    await session.leave()
    return {"authid": joined.authid, "authrole": joined.authrole, "authmethod": login["method"]}


async def main() -> None:
    """One login after the other."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await outcome(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
