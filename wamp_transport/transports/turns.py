"""The end of an event loop's turn: it has done what there was to do, and is about to look for what has come.

asyncio tells nobody of it. A function called soon would run in a turn of its own, with a look for what has come of its
own: a system call and some microseconds more for every message that comes alone.
"""

from collections.abc import Callable
from selectors import BaseSelector
from typing import Any


def at_end_of_turns(loop: Any, callback: Callable[[], bool]) -> bool:
    """Have ``callback`` called at the end of every turn of ``loop``, from now on and as long as it runs.

    It must not raise, and returns whether it may have given the loop something to do, which then does not wait.
    Returns False for a loop of another kind than asyncio's own over a selector: nothing is called then.
    """
    selector = getattr(loop, "_selector", None)
    if not isinstance(selector, BaseSelector):
        return False
    select = selector.select

    def select_after(timeout: float | None = None) -> Any:
        return select(0 if callback() else timeout)

    selector.select = select_after  # type: ignore[method-assign]
    return True
