"""Django test cases that give each test a separate in-memory router."""

import unittest
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from django.test import SimpleTestCase, TestCase, TransactionTestCase

from .assertions import on_test_case
from .client import WampClient
from .clock import Clock
from .commits import run_on_commit
from .recording import Recording
from .router import DATABASE, Config, InMemoryRouter

if TYPE_CHECKING:
    Case = unittest.TestCase
else:
    Case = object


class WampTestMixin(Case):
    """A mixin that gives each test an in-memory router. Put it before the test case in the list of base classes.

    ``wamp_config`` and ``wamp_handlers`` are passed to :class:`InMemoryRouter` as ``config`` and ``handlers``.
    """

    wamp_config: ClassVar[Config] = None
    wamp_handlers: ClassVar[bool] = True
    wamp_client_class: ClassVar[type[WampClient]] = WampClient
    wamp: InMemoryRouter

    @classmethod
    def setUpClass(cls) -> None:
        """Start a router for code that runs before the tests, such as ``setUpTestData``."""
        config = None if cls.wamp_config == DATABASE else cls.wamp_config
        router = InMemoryRouter(config, handlers=cls.wamp_handlers).start()
        cls.addClassCleanup(router.stop)
        super().setUpClass()

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test with its router."""
        with InMemoryRouter(self.wamp_config, handlers=self.wamp_handlers) as self.wamp:
            return super().run(result)

    def debug(self) -> None:
        """Run the test with its router, without collecting errors."""
        with InMemoryRouter(self.wamp_config, handlers=self.wamp_handlers) as self.wamp:
            super().debug()

    @cached_property
    def wamp_client(self) -> WampClient:
        """A client with the role ``anonymous``. Create other clients with ``WampClient(user=...)``."""
        return self.wamp_client_class()

    @property
    def wamp_clock(self) -> Clock:
        """The clock of the test."""
        return self.wamp.clock

    runOnCommit = staticmethod(run_on_commit)
    assertPublished = on_test_case(Recording.assert_published)
    assertNotPublished = on_test_case(Recording.assert_not_published)
    assertCalled = on_test_case(Recording.assert_called)
    assertNotCalled = on_test_case(Recording.assert_not_called)


class WampSimpleTestCase(WampTestMixin, SimpleTestCase):
    """Django's ``SimpleTestCase`` with an in-memory router. Tests must not use a database."""


class WampTestCase(WampTestMixin, TestCase):
    """Django's ``TestCase`` with an in-memory router. Handlers run in the transaction of the test."""


class WampTransactionTestCase(WampTestMixin, TransactionTestCase):
    """Django's ``TransactionTestCase`` with an in-memory router.

    Events that are published in an ``atomic()`` block are sent when the transaction is committed.
    """
