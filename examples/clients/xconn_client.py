"""xconn (asyncio): register and call a procedure, subscribe to a topic and publish an event."""

import asyncio
import sys

from xconn import AsyncClient
from xconn.types import Event, Invocation, Result


async def add(invocation: Invocation) -> Result:
    return Result([sum(invocation.args)])


async def on_news(event: Event) -> None:
    print("news:", event.args)


async def main() -> None:
    session = await AsyncClient().connect(sys.argv[1], "realm1")
    await session.register("com.example.add", add)
    await session.subscribe("com.example.news", on_news)
    result = await session.call("com.example.add", [2, 3])
    print("sum:", result.args[0])
    await session.publish("com.example.news", ["hello"], options={"acknowledge": True})
    await session.leave()


asyncio.run(main())
