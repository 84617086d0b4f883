"""Failed logins: counted in Django's cache by address and by authid, for as long as they count."""

import asyncio

import pytest

from wamp_transport.bootstrap.identity.throttle import Throttle, address_of
from wamp_transport.config.limits import Lockout

pytestmark = pytest.mark.django_db  # its threads look whether their connections still work


@pytest.fixture(autouse=True)
def _cache(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "throttle"}}
    from django.core.cache import cache

    cache.clear()


def run(limits, *steps):
    """What waiting is told after each step: an address, a realm, an authid, and whether the login failed."""

    async def whole():
        throttle = Throttle()
        told = []
        for address, authid, fails in steps:
            told.append(await throttle.seconds_to_wait(limits, address, authid))
            if fails:
                await throttle.count_failure(limits, address, authid)
        return told

    return asyncio.run(whole())


def test_authid_waits_from_every_address_and_others_do_not():
    limits = Lockout(failures_per_address=0, failures_per_authid=2)
    failures = ("1.1.1.1", "joe", True), ("2.2.2.2", "joe", True)
    told = run(limits, *failures, ("3.3.3.3", "joe", False), ("1.1.1.1", "ann", False))
    assert told[:2] == [0, 0]
    assert 1 <= told[2] <= 300
    assert told[3] == 0


def test_address_waits_whoever_it_says_it_is():
    limits = Lockout(failures_per_address=2, failures_per_authid=0)
    failures = ("1.1.1.1", "joe", True), ("1.1.1.1", None, True)
    told = run(limits, *failures, ("1.1.1.1", "ann", False), (None, "ann", False))
    assert [bool(seconds) for seconds in told] == [False, False, True, False]


def test_success_counts_nothing_and_without_limits_nothing_is_counted():
    limits = Lockout(failures_per_address=1, failures_per_authid=1)
    assert run(limits, *[("1.1.1.1", "joe", False)] * 5) == [0] * 5
    assert run(Lockout(failures_per_address=0, failures_per_authid=0), *[("1.1.1.1", "joe", True)] * 5) == [0] * 5


def test_failures_are_shared_by_those_who_share_the_cache():
    limits = Lockout(failures_per_address=0, failures_per_authid=1)
    run(limits, ("1.1.1.1", "joe", True))
    assert run(limits, ("1.1.1.1", "joe", False)) != [0]


def test_failures_end_with_their_time(monkeypatch):
    import time

    limits = Lockout(failures_per_address=0, failures_per_authid=1, period=1000)
    run(limits, ("1.1.1.1", "joe", True))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1.1)
    assert run(limits, ("1.1.1.1", "joe", False)) == [0]


@pytest.mark.expects_errors("Failed logins are not counted: Django's cache does not answer")
def test_cache_that_fails_keeps_nobody_out_and_is_told_once(settings, caplog):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": "/dev/null/x"}
    }
    limits = Lockout(failures_per_address=1, failures_per_authid=1)
    assert run(limits, ("1.1.1.1", "joe", True), ("1.1.1.1", "joe", True), ("1.1.1.1", "joe", False)) == [0, 0, 0]
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("tcp:192.0.2.1:5000", "192.0.2.1"),
        ("tcp:2001:db8::1:2:3:5000", "2001:db8::/64"),
        ("tcp:::ffff:192.0.2.1:5000", "::ffff:192.0.2.1"),
        ("tcp:host:5000", "host"),
        ("unix", None),
        (None, None),
    ],
)
def test_addresses_are_counted_as_one_customer_has_them(peer, address):
    assert address_of({} if peer is None else {"peer": peer}) == address
