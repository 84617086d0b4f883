"""Decorators that declare procedures and subscribers in Django code. Use them in an app's ``wamp.py``.

    from wamp_transport.handlers import Caller, register, subscribe

    @register("com.shop.price", permission="shop.view_product")
    def price(sku: str, quantity: int = 1) -> Decimal: ...

    @subscribe("com.shop.order.", match="prefix")
    async def on_order(event: Event, number: int) -> None: ...

See the WAMP specification, Basic Profile, "Publish and Subscribe" and "Remote Procedure Calls".
"""

from ..node.client_types import Event, Invocation, Result
from ..wamp.errors import ApplicationError
from .declarations import register, subscribe
from .parameters import Caller

__all__ = ["ApplicationError", "Caller", "Event", "Invocation", "Result", "register", "subscribe"]
