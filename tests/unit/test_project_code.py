"""The guard around project code: what would end more than its request is an ordinary failure."""

import asyncio
import gc
import logging
import signal
import threading

import pytest

from wamp_transport.project_code import ProjectCodeError, call_guarded, contain, guard_loop, run_guarded

KINDS = [SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit, asyncio.CancelledError, BaseException]
SECONDS = 20


@pytest.fixture(autouse=True)
def served(monkeypatch):
    """As in a server, which handles Ctrl-C itself."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def interruptible():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def fail(kind):
    raise kind("no")


@pytest.mark.parametrize("kind", KINDS)
def test_function_fails_with_an_ordinary_exception(kind):
    with pytest.raises(ProjectCodeError, match=f"^project code raised {kind.__name__}: no$") as caught:
        call_guarded(fail, kind)
    assert isinstance(caught.value.__cause__, kind)


def test_exception_without_a_text_is_named():
    assert str(contain(SystemExit())) == "project code raised SystemExit"


def test_results_and_ordinary_exceptions_pass():
    assert call_guarded(lambda a, *, b: (a, b), 1, b=2) == (1, 2)
    with pytest.raises(LookupError, match="no"):
        call_guarded(fail, LookupError)
    fault = LookupError()
    assert contain(fault) is fault


def test_interrupt_of_a_terminal_passes(interruptible):
    with pytest.raises(KeyboardInterrupt):
        call_guarded(fail, KeyboardInterrupt)


def test_in_other_threads_there_is_no_interrupt(interruptible):
    caught = []

    def work():
        try:
            call_guarded(fail, KeyboardInterrupt)
        except ProjectCodeError as fault:
            caught.append(fault)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(SECONDS)
    assert len(caught) == 1


@pytest.mark.parametrize("kind", [one for one in KINDS if one is not StopIteration])
def test_coroutine_fails_with_an_ordinary_exception(kind):
    async def work():
        await asyncio.sleep(0)
        fail(kind)

    with pytest.raises(ProjectCodeError, match=kind.__name__):
        asyncio.run(run_guarded(work()))


def test_coroutine_that_is_canceled_is_canceled():
    async def main():
        task = asyncio.create_task(run_guarded(asyncio.sleep(SECONDS)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await run_guarded(asyncio.sleep(SECONDS))

    asyncio.run(main())


def test_coroutine_that_is_closed_is_closed():
    work = run_guarded(asyncio.sleep(SECONDS))
    loop = asyncio.new_event_loop()
    loop.call_soon(work.send, None)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    work.close()
    del work
    gc.collect()


class Running:
    """A guarded loop in a thread."""

    def __init__(self):
        self.is_wanted = True
        self.loop = asyncio.new_event_loop()
        guard_loop(self.loop, lambda: self.is_wanted)
        guard_loop(self.loop, lambda: self.is_wanted)
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(SECONDS)

    def stop(self):
        self.is_wanted = False
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SECONDS)
        self.loop.close()


@pytest.fixture
def running():
    running = Running()
    yield running
    running.stop()


@pytest.mark.expects_errors("A task or callback failed; the event loop continues: project code raised")
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_loop_goes_on_after_a_task_or_callback_that_would_end_it(running, kind, caplog):
    async def work():
        task = asyncio.create_task(asyncio.to_thread(int))
        asyncio.get_running_loop().call_soon(fail, kind)
        lost = asyncio.create_task(leave())
        await asyncio.wait([lost])
        return isinstance(lost.exception(), kind), await task

    async def leave():
        fail(kind)

    with caplog.at_level(logging.ERROR):
        assert running.do(work()) == (True, 0)
    assert f"the event loop continues: project code raised {kind.__name__}: no" in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_function_in_a_thread_answers_whatever_it_raises(running, kind):
    expected = asyncio.CancelledError if kind is asyncio.CancelledError else ProjectCodeError

    async def work():
        with pytest.raises(expected):
            await asyncio.to_thread(fail, kind)
        return True

    assert running.do(work())


@pytest.mark.expects_errors("A task or callback failed; the event loop continues: project code raised")
def test_loop_that_was_to_stop_meanwhile_ends():
    running = Running()

    def leave():
        running.is_wanted = False
        running.loop.stop()
        fail(SystemExit)

    running.loop.call_soon_threadsafe(leave)
    running.thread.join(SECONDS)
    assert not running.thread.is_alive()
    running.loop.close()


def test_loop_of_a_terminal_is_interrupted(interruptible):
    loop = asyncio.new_event_loop()
    guard_loop(loop, lambda: True)
    loop.call_soon(fail, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    loop.close()
