"""Publish events when rows are created, updated or deleted. Use it in an app's ``wamp.py``.

    from wamp_transport.model_events import publish_model_events

    publish_model_events(Product, "com.shop.product", fields=["sku", "price"])

The events are declared beside the handlers, not in the model. This works for models of other apps too, and models need
not know about WAMP.
"""

from .changes import Change, EventName
from .declarations import ModelEventPublisher, publish_model_events, registered_publishers

__all__ = ["Change", "EventName", "ModelEventPublisher", "publish_model_events", "registered_publishers"]
