"""Events of rows as a typed project declares them."""

from typing import assert_type

from django.contrib.auth.models import User

from wamp_transport import api
from wamp_transport.model_events import Change, EventName, ModelEventPublisher, publish_model_events


def topic(change: Change[User]) -> str:
    return f"com.site.user.{change.pk}"


def serialize(change: Change[User]) -> dict[str, str]:
    assert_type(change.event, EventName)
    assert_type(change.instance, User)
    assert_type(change.update_fields, frozenset[str] | None)
    return {"name": change.instance.get_full_name(), "database": change.using}


def audience(change: Change[User]) -> api.PublishOptions:
    return api.PublishOptions(eligible_authid=[change.instance.get_username()])


users = publish_model_events(
    User, topic, fields=["username"], serialize=serialize, options=audience, update_fields=True
)
assert_type(users, ModelEventPublisher[User])

publish_model_events(
    User,
    "com.site.user",
    events=["created", "deleted"],
    when=lambda change: change.instance.is_active,
    options=api.PublishOptions(eligible_authrole=["staff"]),
    realm="realm1",
)


def rename(user: User) -> None:
    assert_type(users.publish("updated", user, using="default", update_fields=["first_name"]), None)
