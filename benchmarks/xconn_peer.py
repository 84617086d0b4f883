"""The router of xconn-python on uvloop, path /ws, realm1: ``python xconn_peer.py PORT`` in its own environment."""

import asyncio
import sys

import uvloop
from xconn.router import Router
from xconn.server import Server


async def serve(port: int) -> None:
    """Serve endlessly."""
    router = Router()
    router.add_realm("realm1")
    await Server(router).start("127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
