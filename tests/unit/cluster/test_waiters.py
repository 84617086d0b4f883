import asyncio

import pytest

from wamp_transport.cluster.waiters import Waiters


def test_task_waits_until_its_condition_is_true() -> None:
    async def run() -> None:
        done: set[str] = set()
        waiters = Waiters(asyncio.get_running_loop(), lambda: "closed" in done)
        await waiters.wait(lambda: True)
        first, second = (asyncio.ensure_future(waiters.wait(lambda name=name: name in done)) for name in "ab")
        await asyncio.sleep(0)
        done.add("a")
        waiters.check()
        await first
        assert not second.done()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        done.add("b")
        waiters.check()

    asyncio.run(run())


def test_nobody_waits_after_the_end() -> None:
    async def run() -> None:
        closed: list[bool] = []
        waiters = Waiters(asyncio.get_running_loop(), lambda: bool(closed))
        task = asyncio.ensure_future(waiters.wait(lambda: False))
        await asyncio.sleep(0)
        closed.append(True)
        waiters.check()
        await task
        await waiters.wait(lambda: False)

    asyncio.run(run())
