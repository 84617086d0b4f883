"""Test cases of Django's kind, each test with a router in memory of its own."""

import unittest
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from django.test import SimpleTestCase, TestCase, TransactionTestCase

from .client import WampClient
from .clock import Clock
from .commits import committing
from .records import ANY, Call, Match, Publication
from .router import DATABASE, Config, InMemoryRouter

if TYPE_CHECKING:
    Case = unittest.TestCase
else:
    Case = object


class WampTestMixin(Case):
    """Gives each test of a case a router in memory: put it before the test case in the list of bases.

    ``wamp_config`` and ``wamp_handlers`` are the arguments of :class:`InMemoryRouter`.
    """

    wamp_config: ClassVar[Config] = None
    wamp_handlers: ClassVar[bool] = True
    wamp_client_class: ClassVar[type[WampClient]] = WampClient
    wamp: InMemoryRouter

    @classmethod
    def setUpClass(cls) -> None:
        """What is published before the tests goes nowhere else, either."""
        config = None if cls.wamp_config == DATABASE else cls.wamp_config
        router = InMemoryRouter(config, handlers=cls.wamp_handlers).start()
        cls.addClassCleanup(router.stop)
        super().setUpClass()

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """The test, with its router."""
        with InMemoryRouter(self.wamp_config, handlers=self.wamp_handlers) as self.wamp:
            return super().run(result)

    def debug(self) -> None:
        """The test, with its router."""
        with InMemoryRouter(self.wamp_config, handlers=self.wamp_handlers) as self.wamp:
            super().debug()

    @cached_property
    def wamp_client(self) -> WampClient:
        """A client of role ``anonymous``; others are made by ``WampClient(user=...)``."""
        return self.wamp_client_class()

    @property
    def wamp_clock(self) -> Clock:
        """The clock of the test."""
        return self.wamp.clock

    @contextmanager
    def committing(self) -> Iterator[None]:
        """At the end of the block what waits for a commit is done: see :func:`~.commits.committing`."""
        with committing():
            yield

    def assertPublished(
        self,
        topic: str,
        args: Sequence[Any] = ANY,
        kwargs: Mapping[str, Any] = ANY,
        *,
        count: int | None = None,
        match: Match = "exact",
    ) -> list[Publication]:
        """See :meth:`Recording.assert_published`."""
        return self.wamp.recording.assert_published(topic, args, kwargs, count=count, match=match)

    def assertNotPublished(
        self, topic: str, args: Sequence[Any] = ANY, kwargs: Mapping[str, Any] = ANY, *, match: Match = "exact"
    ) -> None:
        """See :meth:`Recording.assert_not_published`."""
        self.wamp.recording.assert_not_published(topic, args, kwargs, match=match)

    def assertCalled(
        self,
        procedure: str,
        args: Sequence[Any] = ANY,
        kwargs: Mapping[str, Any] = ANY,
        *,
        count: int | None = None,
        match: Match = "exact",
    ) -> list[Call]:
        """See :meth:`Recording.assert_called`."""
        return self.wamp.recording.assert_called(procedure, args, kwargs, count=count, match=match)

    def assertNotCalled(
        self, procedure: str, args: Sequence[Any] = ANY, kwargs: Mapping[str, Any] = ANY, *, match: Match = "exact"
    ) -> None:
        """See :meth:`Recording.assert_not_called`."""
        self.wamp.recording.assert_not_called(procedure, args, kwargs, match=match)


class WampSimpleTestCase(WampTestMixin, SimpleTestCase):
    """Django's ``SimpleTestCase``, without a database."""


class WampTestCase(WampTestMixin, TestCase):
    """Django's ``TestCase``: handlers see the transaction of the test."""


class WampTransactionTestCase(WampTestMixin, TransactionTestCase):
    """Django's ``TransactionTestCase``: what is published in ``atomic()`` is sent when that ends."""
