"""Publish events when rows are created, updated or deleted. An app's ``wamp.py`` imports this.

    from wamp_transport.model_events import publish_model_events

    publish_model_events(Product, "com.shop.product", fields=["sku", "price"])

The declaration stands beside the handlers and not in the model. So it works for models of other apps too, and models
need not know about WAMP.
"""

from .changes import Change, EventName
from .declarations import ModelEventPublisher, publish_model_events, registered_publishers

__all__ = ["Change", "EventName", "ModelEventPublisher", "publish_model_events", "registered_publishers"]
