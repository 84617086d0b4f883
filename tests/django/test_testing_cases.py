"""The test cases, as test cases: each test has a router of its own."""

import unittest

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import override_settings

from tests.shop.models import Product
from wamp_transport import api
from wamp_transport.api import backends
from wamp_transport.stores import configuration as rows
from wamp_transport.testing import (
    InMemoryRouter,
    WampClient,
    WampSimpleTestCase,
    WampTestCase,
    WampTransactionTestCase,
    active_router,
)

CONFIG = {
    "version": 2,
    "workers": [{"type": "router", "realms": [{"name": "shop", "roles": [{"name": "anonymous"}, {"name": "clerk"}]}]}],
}


class InTransactions(WampTestCase):
    wamp_handlers = False

    @classmethod
    def setUpTestData(cls):
        cls.joe = User.objects.create_user("joe")
        api.publish("com.shop.before", on_commit=False)

    def setUp(self):
        api.publish("com.shop.set_up", on_commit=False)

    def test_each_test_begins_anew(self):
        assert connection.in_atomic_block
        assert [one.topic for one in self.wamp.publications] == ["com.shop.set_up"]
        self.assertPublished("com.shop.set_up", count=1)
        self.assertNotPublished("com.shop.before")

    def test_committing_lets_publications_out(self):
        with self.runOnCommit():
            api.publish("com.shop.x", 1)
            self.assertNotPublished("com.shop.x")
        self.assertPublished("com.shop.x", args=[1], kwargs={})

    def test_capture_on_commit_callbacks_does_too(self):
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            api.publish("com.shop.x", 1)
        assert len(callbacks) == 1
        self.assertPublished("com.shop.x", args=[1])

    def test_failing_assertion_fails_the_test(self):
        with self.assertRaisesMessage(AssertionError, "com.shop.y was not published."):
            self.assertPublished("com.shop.y")
        with self.assertRaisesMessage(AssertionError, "com.shop.set_up was published once."):
            self.assertNotPublished("com.shop.set_up")
        with self.assertRaisesMessage(AssertionError, "com.shop.y was not called."):
            self.assertCalled("com.shop.y")

    def test_calls(self):
        self.wamp_client.register("com.pay", lambda invocation: 1)
        assert api.call("com.pay", 5) == 1
        self.assertCalled("com.pay", args=[5], count=1)
        self.assertNotCalled("com.pay", args=[6])
        assert WampClient(self.joe).call("com.pay") == 1
        assert self.wamp_clock.time == 0

    async def test_coroutine_sees_the_transaction_of_the_test(self):
        def count(invocation):
            return Product.objects.count()

        async def acount(invocation):
            return await Product.objects.acount()

        await Product.objects.acreate(sku="tea", price="2.50")
        await self.wamp_client.aregister("com.shop.count", count)
        await self.wamp_client.aregister("com.shop.acount", acount)
        assert await api.acall("com.shop.count") == 1
        assert await self.wamp_client.acall("com.shop.acount") == 1
        await api.apublish("com.shop.counted")
        self.assertNotPublished("com.shop.counted")
        await api.apublish("com.shop.counted", on_commit=False)
        self.assertPublished("com.shop.counted", count=1)


class ConfiguredInTheDatabase(WampTestCase):
    wamp_config = "database"
    wamp_handlers = False

    @classmethod
    def setUpTestData(cls):
        rows.replace(CONFIG)

    def test_rows_count(self):
        assert self.wamp_client.session.realm == "shop"
        with pytest.raises(api.NotAuthorized):
            self.wamp_client.call("com.shop.x")


class WithoutTransactions(WampTransactionTestCase):
    wamp_handlers = False

    def test_commit_sends(self):
        with transaction.atomic():
            api.publish("com.shop.x", 1)
            self.assertNotPublished("com.shop.x")
        self.assertPublished("com.shop.x")


class Configured(WampSimpleTestCase):
    wamp_config = CONFIG
    wamp_handlers = False

    def test_configuration_counts(self):
        with pytest.raises(api.NotAuthorized):
            self.wamp_client.call("com.shop.x")
        assert WampClient(role="clerk").session.realm == "shop"

    @override_settings(WAMP_TRANSPORT={"API": {"URL": "ws://127.0.0.1:1/ws", "REALM": "shop"}})
    def test_nothing_goes_to_a_router_that_is_configured(self):
        assert api.session_info().is_local


def test_case_leaves_nothing_behind():
    assert backends._overrides == []

    class Case(WampSimpleTestCase):
        def test_fails(self):
            assert active_router() is self.wamp
            self.assertPublished("com.shop.x")

        def test_debugged(self):
            assert isinstance(self.wamp, InMemoryRouter)

    result = unittest.TestResult()
    unittest.TestLoader().loadTestsFromTestCase(Case)(result)
    ((_, said),) = result.failures
    assert "com.shop.x was not published.\nNothing was published." in said
    assert (result.testsRun, result.errors) == (2, [])
    Case("test_debugged").debug()
    Case.doClassCleanups()
    assert backends._overrides == []
