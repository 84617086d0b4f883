"""Django code speaks WAMP: publish, call, register and subscribe, from sync and async code alike.

    from wamp_transport import api

    api.publish("com.shop.order.paid", 17, kwargs={"total": "9.90"})
    price = api.call("com.shop.price", "A1", timeout=5)

In the process that serves, these are sessions of its router; in any other they reach the router at
``settings.WAMP_TRANSPORT["URL"]``.
"""

from ..node.client_types import Event, Invocation, Result
from ..wamp.errors import (
    ApplicationError,
    CallCanceled,
    CalleeUnavailable,
    CallTimeout,
    InvalidArgument,
    NoSuchProcedure,
    NotAuthorized,
    PayloadError,
    SessionEnded,
    TransportError,
    WampError,
)
from ..wamp.messages import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions
from .backends import NotConfigured
from .functions import (
    acall,
    apublish,
    aregister,
    asession_details,
    astream,
    asubscribe,
    call,
    publish,
    register,
    session_details,
    stream,
    submit,
    subscribe,
)
from .reconnecting_session import Registration, SessionDetails, Subscription

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
    "SessionDetails",
    "SessionEnded",
    "SubscribeOptions",
    "Subscription",
    "TransportError",
    "WampError",
    "acall",
    "apublish",
    "aregister",
    "asession_details",
    "astream",
    "asubscribe",
    "call",
    "publish",
    "register",
    "session_details",
    "stream",
    "submit",
    "subscribe",
]
