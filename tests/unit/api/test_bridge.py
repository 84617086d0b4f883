"""Between threads and loops: waiting, refusing to block, timeouts, items one by one."""

import asyncio
import threading

import pytest
from django.core.exceptions import SynchronousOnlyOperation

from wamp_transport.api import bridge
from wamp_transport.api.bridge import LoopBridge
from wamp_transport.wamp.errors import CallTimeout, TransportError


@pytest.fixture
def loop():
    """A loop that runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop

    async def rest():
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    asyncio.run_coroutine_threadsafe(rest(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def name_of_thread():
    return threading.current_thread().name


class Parts:
    """Numbers, and whether whoever reads them has gone."""

    def __init__(self):
        self.is_closed = threading.Event()

    async def numbers(self):
        try:
            for number in range(3):
                yield number
        finally:
            self.is_closed.set()


def test_work_is_done_on_the_loop_and_waited_for(loop):
    assert LoopBridge(loop).wait(name_of_thread(), 10) != threading.current_thread().name
    assert asyncio.run(LoopBridge(loop).await_on_loop(name_of_thread())) != threading.current_thread().name


def test_work_of_the_same_loop_is_done_there():
    async def same():
        return await LoopBridge(asyncio.get_running_loop()).await_on_loop(name_of_thread())

    assert asyncio.run(same()) == threading.current_thread().name


def test_too_long_is_a_timeout(loop):
    async def for_ever():
        await asyncio.Event().wait()

    with pytest.raises(CallTimeout, match=r"within 0\.01 seconds"):
        LoopBridge(loop).wait(bridge.within(0.01, for_ever()), 10)


@pytest.mark.parametrize("seconds", [10, None])
def test_timeout_within_the_work_is_no_timeout_of_the_call(loop, seconds):
    async def late():
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine") as caught:
        LoopBridge(loop).wait(bridge.within(seconds, late()), 10)
    assert caught.type is TimeoutError


def test_timeout_of_the_work_itself_is_its_own(loop):
    async def late():
        raise CallTimeout("com.late", "mine")

    with pytest.raises(CallTimeout, match="mine"):
        LoopBridge(loop).wait(bridge.within(10, late()), 10)


def test_loop_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(bridge, "GRACE_SECONDS", 0.01)
    dead = asyncio.new_event_loop()
    work = name_of_thread()
    with pytest.raises(CallTimeout, match="does not answer"):
        LoopBridge(dead).wait(work, 0.01)
    work.close()
    dead.close()


def test_loop_that_is_over_is_told():
    over = asyncio.new_event_loop()
    over.close()
    with pytest.raises(TransportError, match="has stopped"):
        LoopBridge(over).wait(name_of_thread(), 1)


def test_waiting_for_oneself_is_refused(loop):
    async def wait():
        LoopBridge(asyncio.get_running_loop()).forbid_on_loop("call")

    with pytest.raises(SynchronousOnlyOperation, match=r"await api\.acall\(\)"):
        asyncio.run(wait())
    LoopBridge(loop).forbid_on_loop("call")


def test_parts_come_one_by_one_in_a_thread(loop):
    parts = Parts()
    assert list(LoopBridge(loop).iterate(parts.numbers())) == [0, 1, 2]
    assert parts.is_closed.wait(10)


def test_leaving_the_iterator_closes_the_parts(loop):
    parts = Parts()
    for part in LoopBridge(loop).iterate(parts.numbers()):
        assert part == 0
        break
    assert parts.is_closed.wait(10)


@pytest.mark.parametrize("is_same", [True, False])
def test_leaving_the_asynchronous_iterator_closes_the_parts(loop, is_same):
    parts = Parts()

    async def leave():
        async for part in LoopBridge(asyncio.get_running_loop() if is_same else loop).aiterate(parts.numbers()):
            assert part == 0
            break

    asyncio.run(leave())
    assert parts.is_closed.wait(10)
