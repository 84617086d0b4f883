"""Publish events when rows are created, updated or deleted. The events are declared in an app's ``wamp.py``.

    from wamp_transport.model_events import publish_model_events

    publish_model_events(Product, "com.shop.product", fields=["sku", "price"])

Because the declarations are not in the models, models do not depend on WAMP, and the models of other apps can be used.
"""

from .changes import Change, EventName
from .declarations import ModelEventPublisher, publish_model_events, registered_publishers

__all__ = ["Change", "EventName", "ModelEventPublisher", "publish_model_events", "registered_publishers"]
