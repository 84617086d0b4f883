"""The examples of docs/command-line.md run, one after the other, as they stand there."""

import asyncio
import doctest
import re
import shlex
import threading

import pytest

from tests.live import live_server
from wamp_transport.management.subcommands import SUBCOMMANDS
from wamp_transport.node.remote import connect
from wamp_transport.wamp.messages import SubscribeOptions

from .commands import Site
from .servers import ROOT, until

pytestmark = [pytest.mark.integration, pytest.mark.full]

PAGE = (ROOT / "docs" / "command-line.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [
    tuple(part.partition("\n")[::2]) for block in BLOCKS for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
]
CHECKER = doctest.OutputChecker()
ALIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Shop(threading.Thread):
    """A client with the procedures that the page calls."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url = url
        self.is_open = threading.Event()
        self.loop = asyncio.new_event_loop()

    def run(self):
        self.loop.run_until_complete(self.serve())
        self.loop.close()

    async def serve(self):
        self.end = asyncio.Event()
        session = await connect(self.url, "realm1")

        async def export(invocation):
            for part in (10, 60):
                await invocation.progress([part])
            return "done"

        def order(invocation):
            pieces = sum(line["quantity"] for line in invocation.args[0])
            return {"pieces": pieces, "deliver_on": invocation.kwargs["deliver_on"]}

        await session.register("com.shop.price", lambda invocation: 2.5 * invocation.args[1])
        await session.register("com.shop.order", order)
        await session.register("com.shop.export", export)
        await session.subscribe("com.shop.order.", print, options=SubscribeOptions(match="prefix"))
        self.is_open.set()
        await self.end.wait()
        await session.leave()
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=5)

    def stop(self):
        self.loop.call_soon_threadsafe(self.end.set)
        self.join(20)
        assert not self.is_alive()


def test_examples_run(tmp_path):
    assert len(EXAMPLES) > 15
    with live_server(tmp_path) as server, Site(tmp_path).forking() as site:
        shop = Shop(server.websocket_url)
        shop.start()
        assert shop.is_open.wait(20)
        until(lambda: site.wamp("call", "com.shop.price", "tea", "1").returncode == 0, "the node is found")
        for command, expected in EXAMPLES:
            manage, wamp, *arguments = shlex.split(command)
            assert (manage, wamp) == ("manage.py", "wamp"), command
            if arguments[0] == "register":
                with site.begun(*arguments):
                    assert site.json("registrations", arguments[1])["registrations"], command
                continue
            done = site.wamp(*arguments)
            assert done.returncode == (1 if "0 sessions closed" in expected else 0), (command, done)
            assert CHECKER.check_output(expected, done.stdout, ALIKE), (command, done)
        shop.stop()


def test_page_tells_of_each_command_that_speaks_to_a_router():
    told = {shlex.split(command)[2] for command, _ in EXAMPLES}
    lists = {"sessions", "registrations", "subscriptions"}
    speaking = {"call", "publish", "subscribe", "register", "kill", "bench", *lists}
    assert told == speaking
    assert speaking < {one.name for one in SUBCOMMANDS}
