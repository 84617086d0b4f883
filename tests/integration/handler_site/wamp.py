"""Handlers that print what they do."""

import json
import os
import sys

from django.contrib.auth.models import User

from wamp_transport import api
from wamp_transport.handlers import Event, register, subscribe
from wamp_transport.model_events import publish_model_events

publish_model_events(User, "com.site.user", fields=["username"])


def report(kind: str, *values: object) -> None:
    """Print a line that the test can find."""
    # One write, because several threads report.
    sys.stdout.write(json.dumps({"handled": kind, "values": values}) + "\n")
    sys.stdout.flush()


@register("com.site.process")
def process() -> int:
    """The id of the process in which the handler runs."""
    return os.getpid()


@register("com.site.create")
def create(username: str) -> int:
    """Make a user in this process."""
    return User.objects.create(username=username).pk


@register("com.site.publish")
def publish(number: int) -> int:
    """Publish from this process, and call from it."""
    api.publish("com.site.topic", number)
    return api.call("com.site.process")


@register("com.site.announce")
def announce() -> None:
    """Publish as the session of Django code in this process, whose authid is a username."""
    api.publish("com.site.who", options=api.PublishOptions(disclose_me=True))


@subscribe("com.site.who", each_node=True)
def who(user: User) -> None:
    report("who", user.username, os.getpid())


@subscribe("com.site.topic")
def once(number: int) -> None:
    report("once", number)


@subscribe("com.site.topic", each_node=True)
def everywhere(number: int) -> None:
    report("everywhere", number)


@subscribe("com.site.user.", match="prefix")
def on_user(event: Event, pk: int, username: str) -> None:
    report("user", event.topic, username)
