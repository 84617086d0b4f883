"""What an app's ``wamp.py`` imports to let the router tell of its rows: events when they are created, updated, deleted.

    from wamp_transport.model_events import model_events

    model_events(Product, "com.shop.product", fields=["sku", "price"])

It is a statement beside the handlers and not part of the model: models of other apps can be told of as well, and those
of the project know nothing of WAMP.
"""

from .changes import Change, EventName
from .declarations import ModelEvents, declared_events, model_events

__all__ = ["Change", "EventName", "ModelEvents", "declared_events", "model_events"]
