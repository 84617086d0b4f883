"""The test tools as a typed project uses them."""

from collections.abc import Callable, Iterator
from typing import Any, assert_type

import pytest
from django.contrib.auth.models import User

from wamp_transport import api
from wamp_transport.testing import (
    Clock,
    InMemoryRouter,
    LiveServer,
    RecordedCall,
    RecordedPublication,
    Recording,
    WampClient,
    WampLiveServerTestCase,
    WampTestCase,
    assert_called,
    assert_published,
    run_on_commit,
)


class Orders(WampTestCase):
    wamp_config = {"version": 2, "workers": []}

    def test_client(self) -> None:
        assert_type(self.wamp_client, WampClient)
        client = WampClient(User(username="joe"), role="clerk")
        assert_type(client.call("com.x", 1, kwargs={"k": 2}, timeout=None), Any)
        assert_type(client.stream("com.x"), Iterator[Any])
        assert_type(client.publish("com.x", 1), int)
        assert_type(client.receive(timeout=1), api.Event)
        assert_type(client.events, list[api.Event])
        client.register("com.x", lambda invocation: invocation.args)
        with self.runOnCommit():
            api.publish("com.x")
        assert_type(self.assertPublished("com.x", args=[1], kwargs={}, count=1), list[RecordedPublication])
        assert_type(self.assertCalled("com.x", match="prefix"), list[RecordedCall])
        assert_type(self.wamp_clock, Clock)

    async def test_coroutines(self) -> None:
        assert_type(await self.wamp_client.acall("com.x"), Any)
        assert_type(await self.wamp_client.areceive(), api.Event)
        async for part in self.wamp_client.astream("com.x"):
            assert_type(part, Any)


class Pages(WampLiveServerTestCase):
    def test_page(self) -> None:
        assert_type(self.live_server_url, str)
        assert_type(self.wamp_url, str)


def functions() -> None:
    with InMemoryRouter(handlers=False) as router, run_on_commit():
        assert_type(router.publications, list[RecordedPublication])
        assert_type(assert_published("com.x"), list[RecordedPublication])
        assert_type(assert_called("com.x"), list[RecordedCall])


def test_fixtures(
    wamp_client: WampClient,
    wamp_client_factory: Callable[..., WampClient],
    wamp_recording: Recording,
    wamp_clock: Clock,
    wamp_live_server: LiveServer,
) -> None:
    assert_type(wamp_recording[0].args, list[Any])
    with pytest.raises(api.CallTimeout):
        wamp_client_factory(role="clerk").call("com.x")
