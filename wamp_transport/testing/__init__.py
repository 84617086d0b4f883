"""Tools for tests of code that speaks WAMP: a router in memory, clients of it, assertions, a live server.

    class OrderTests(WampTestCase):
        def test_order_is_told(self):
            with self.committing():
                self.client.post("/orders/", {"sku": "tea"})
            self.assertPublished("com.shop.order.created", args=["tea"])
            self.assertEqual(WampClient(user=self.joe).call("com.shop.price", "tea"), "2.50")

Nothing is imported before it is used, so that the pytest plugin costs projects nothing that do not use it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .assertions import assert_called, assert_not_called, assert_not_published, assert_published
    from .cases import WampSimpleTestCase, WampTestCase, WampTestMixin, WampTransactionTestCase
    from .client import NoEvent, WampClient
    from .clock import Clock
    from .commits import committing
    from .live import LiveServer, WampLiveServerTestCase
    from .loop import NothingHappens
    from .memory import MemoryNode, MemoryPeer, anonymous_options
    from .recording import Recording
    from .records import Call, Failure, Publication
    from .router import InMemoryRouter, active_router

__all__ = [
    "Call",
    "Clock",
    "Failure",
    "InMemoryRouter",
    "LiveServer",
    "MemoryNode",
    "MemoryPeer",
    "NoEvent",
    "NothingHappens",
    "Publication",
    "Recording",
    "WampClient",
    "WampLiveServerTestCase",
    "WampSimpleTestCase",
    "WampTestCase",
    "WampTestMixin",
    "WampTransactionTestCase",
    "active_router",
    "anonymous_options",
    "assert_called",
    "assert_not_called",
    "assert_not_published",
    "assert_published",
    "committing",
]

_MODULES: Final = {
    "assertions": ("assert_called", "assert_not_called", "assert_not_published", "assert_published"),
    "cases": ("WampSimpleTestCase", "WampTestCase", "WampTestMixin", "WampTransactionTestCase"),
    "client": ("NoEvent", "WampClient"),
    "clock": ("Clock",),
    "commits": ("committing",),
    "live": ("LiveServer", "WampLiveServerTestCase"),
    "loop": ("NothingHappens",),
    "memory": ("MemoryNode", "MemoryPeer", "anonymous_options"),
    "recording": ("Recording",),
    "records": ("Call", "Failure", "Publication"),
    "router": ("InMemoryRouter", "active_router"),
}
_WHERE: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _WHERE[name] != "memory":  # the one that needs no Django
        import_module(".django_setup", __name__).set_up_django()
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
