"""Define options of REGISTER and SUBSCRIBE that only sessions inside the router's process can use.

They are for the handlers of Django apps, which run in every node of a cluster. Clients cannot use them, because no
serializer decodes them.
"""

from ..wamp.messages import RegisterOptions, SubscribeOptions


class HandlerRegisterOptions(RegisterOptions):
    """Options of REGISTER with ``prefers_own_node``.

    If it is true and ``invoke`` is None, each node of a cluster can register the procedure, with the invocation policy
    ``here``. Outside a cluster it has no effect.
    """

    prefers_own_node: bool = False


class HandlerSubscribeOptions(SubscribeOptions):
    """Options of SUBSCRIBE with ``home_only``.

    If it is true, the subscriber receives only the events that are published on its own node. Other nodes do not send
    events for it. Outside a cluster it has no effect.
    """

    home_only: bool = False


def is_home_only(options: SubscribeOptions) -> bool:
    """Return whether a subscriber wants only the events that are published on its own node."""
    return isinstance(options, HandlerSubscribeOptions) and options.home_only
