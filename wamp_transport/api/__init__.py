"""WAMP for Django code: publish, call, register and subscribe, from sync and async code.

    from wamp_transport import api

    api.publish("com.shop.order.paid", 17, kwargs={"total": "9.90"})
    price = api.call("com.shop.price", "A1", timeout=5)
    clerk = api.Session(role="clerk")
    await clerk.acall("com.shop.discount", "A1")

In a process that runs a node, the API uses that node's router. Any other process connects to the router at
``settings.WAMP_TRANSPORT["API"]["URL"]``.
"""

from ..node.client_types import Event, Invocation, Result
from ..signals import SessionInfo
from ..wamp.errors import (
    ApplicationError,
    CallCanceled,
    CalleeUnavailable,
    CallTimeout,
    InvalidArgument,
    NoSuchProcedure,
    NotAuthorized,
    PayloadError,
    SessionClosed,
    TransportError,
    WampError,
)
from ..wamp.messages import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions
from .backends import NotConfigured
from .functions import (
    acall,
    apublish,
    aregister,
    asession_info,
    astream,
    asubscribe,
    call,
    publish,
    register,
    session_info,
    stream,
    submit,
    subscribe,
)
from .reconnecting_session import Registration, Subscription
from .session import Session

__all__ = [
    "ApplicationError",
    "CallCanceled",
    "CallOptions",
    "CallTimeout",
    "CalleeUnavailable",
    "Event",
    "InvalidArgument",
    "Invocation",
    "NoSuchProcedure",
    "NotAuthorized",
    "NotConfigured",
    "PayloadError",
    "PublishOptions",
    "RegisterOptions",
    "Registration",
    "Result",
    "Session",
    "SessionClosed",
    "SessionInfo",
    "SubscribeOptions",
    "Subscription",
    "TransportError",
    "WampError",
    "acall",
    "apublish",
    "aregister",
    "asession_info",
    "astream",
    "asubscribe",
    "call",
    "publish",
    "register",
    "session_info",
    "stream",
    "submit",
    "subscribe",
]
