import pytest
from msgspec import Raw

from wamp_transport.router.records import ChosenShard, Publication
from wamp_transport.router.relayed import received_publication, relayed_event
from wamp_transport.serializers.registry import serialize
from wamp_transport.wamp.messages import Publish, PublishOptions


@pytest.mark.parametrize(
    "options", [PublishOptions(), PublishOptions(acknowledge=True), PublishOptions(exclude=[1], rkey="x")]
)
def test_publication_is_the_same_on_another_node(world, options):
    is_plain = options.exclude is None
    shards = () if is_plain else (ChosenShard("exact", "com.x", 5),)
    message = Publish(7, options, "com.x", Raw(b"[1]"), Raw(b"{}"))
    publication = Publication(
        9, message, "cbor", 3, "joe", "all", True, 2, world.time(), is_plain=is_plain, shards=shards
    )
    event = relayed_event("realm1", publication, serialize)
    received = received_publication(event)
    assert event.realm == "realm1"
    assert received.message.request_id == 1
    if is_plain:
        assert received.message.options == PublishOptions()
    received.message.request_id, received.message.options = 7, options
    assert received.is_relayed
    received.is_relayed = False
    assert received == publication
