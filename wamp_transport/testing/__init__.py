"""Tools for tests of code that uses WAMP: a router in memory, clients, assertions and a live server.

    class OrderTests(WampTestCase):
        def test_order_is_published(self):
            with self.runOnCommit():
                self.client.post("/orders/", {"sku": "tea"})
            self.assertPublished("com.shop.order.created", args=["tea"])
            self.assertEqual(WampClient(user=self.joe).call("com.shop.price", "tea"), "2.50")

The submodules are imported on first use, so that this package does not slow down pytest in projects that do not use it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .assertions import assert_called, assert_not_called, assert_not_published, assert_published
    from .cases import WampSimpleTestCase, WampTestCase, WampTestMixin, WampTransactionTestCase
    from .client import NoEventReceived, WampClient
    from .clock import Clock
    from .commits import run_on_commit
    from .live import LiveServer, WampLiveServerTestCase
    from .loop import StalledError
    from .recording import Recording
    from .records import RecordedCall, RecordedFailure, RecordedPublication
    from .router import InMemoryRouter, active_router

__all__ = [
    "Clock",
    "InMemoryRouter",
    "LiveServer",
    "NoEventReceived",
    "RecordedCall",
    "RecordedFailure",
    "RecordedPublication",
    "Recording",
    "StalledError",
    "WampClient",
    "WampLiveServerTestCase",
    "WampSimpleTestCase",
    "WampTestCase",
    "WampTestMixin",
    "WampTransactionTestCase",
    "active_router",
    "assert_called",
    "assert_not_called",
    "assert_not_published",
    "assert_published",
    "run_on_commit",
]

_MODULES: Final = {
    "assertions": ("assert_called", "assert_not_called", "assert_not_published", "assert_published"),
    "cases": ("WampSimpleTestCase", "WampTestCase", "WampTestMixin", "WampTransactionTestCase"),
    "client": ("NoEventReceived", "WampClient"),
    "clock": ("Clock",),
    "commits": ("run_on_commit",),
    "live": ("LiveServer", "WampLiveServerTestCase"),
    "loop": ("StalledError",),
    "recording": ("Recording",),
    "records": ("RecordedCall", "RecordedFailure", "RecordedPublication"),
    "router": ("InMemoryRouter", "active_router"),
}
_MODULE_OF: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module(".django_setup", __name__).set_up_django()
    return getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
