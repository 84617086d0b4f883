"""Autobahn|Python (asyncio): register and call a procedure, subscribe to a topic and publish an event."""

import asyncio
import sys

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession


class Session(ApplicationSession):
    async def onJoin(self, details):
        await self.register(lambda a, b: a + b, "com.example.add")
        await self.subscribe(print, "com.example.news")
        print("sum:", await self.call("com.example.add", 2, 3))
        self.publish("com.example.news", "hello")
        self.leave()

    def onDisconnect(self):
        asyncio.get_event_loop().stop()


if __name__ == "__main__":
    ApplicationRunner(sys.argv[1], "realm1").run(Session)
