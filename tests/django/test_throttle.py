"""Failed logins: counted in Django's cache by address, and by authid and method, for as long as they count."""

import asyncio

import pytest

from wamp_transport.bootstrap.identity.throttle import Attempt, Throttle, address_of
from wamp_transport.config.limits import Lockout

pytestmark = pytest.mark.django_db  # its threads look whether their connections still work


@pytest.fixture(autouse=True)
def _cache(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "throttle"}}
    from django.core.cache import cache

    cache.clear()


def run(limits, *steps, throttle=None):
    """Return the seconds to wait before each step: an address, an authid, and whether the login fails or succeeds."""

    async def whole():
        guard = throttle or Throttle()
        waits = []
        for address, authid, outcome, *method in steps:
            attempt = Attempt(limits, address, *(method or ["ticket"]), authid)
            waits.append(await guard.seconds_to_wait(attempt))
            if outcome == "succeeds":
                await guard.trust(attempt)
            elif outcome:
                await guard.count_failure(attempt)
        return waits

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


def test_methods_are_counted_apart():
    limits = Lockout(failures_per_address=0, failures_per_authid=1)
    steps = [
        ("1.1.1.1", "joe", True, "ticket"),
        ("1.1.1.1", "joe", False, "scram"),
        ("1.1.1.1", "joe", False, "ticket"),
    ]
    assert [bool(seconds) for seconds in run(limits, *steps)] == [False, False, True]


def test_address_with_a_success_is_locked_out_by_its_own_failures_alone():
    limits = Lockout(failures_per_address=0, failures_per_authid=2)
    own, other, victim = ("1.1.1.1", "joe"), ("2.2.2.2", "joe"), ("1.1.1.1", "ann")
    steps = [(*own, "succeeds"), *[(*other, True)] * 2, (*other, False), (*own, True), (*own, True), (*own, False)]
    assert [bool(seconds) for seconds in run(limits, *steps)] == [False, False, False, True, False, False, True]
    cleared = [*[(*own, True)] * 2, (*own, False), (*victim, False)]
    assert [bool(seconds) for seconds in run(limits, *cleared)] == [True, True, True, False]


def test_failures_of_a_trusted_address_lock_out_nobody_else():
    limits = Lockout(failures_per_address=0, failures_per_authid=2)
    steps = [("1.1.1.1", "joe", "succeeds"), *[("1.1.1.1", "joe", True)] * 2, ("1.1.1.1", "joe", False)]
    assert [bool(seconds) for seconds in run(limits, *steps, ("2.2.2.2", "joe", False))][-2:] == [True, False]


def test_trust_survives_a_flood_of_failures_in_a_small_cache():
    limits = Lockout(failures_per_address=0, failures_per_authid=1)
    throttle = Throttle()
    run(limits, ("1.1.1.1", "joe", "succeeds"), throttle=throttle)
    run(limits, *[("2.2.2.2", f"joe{number}", True) for number in range(400)], throttle=throttle)
    assert run(limits, ("2.2.2.2", "joe", True), ("1.1.1.1", "joe", False), throttle=throttle) == [0, 0]


def test_processes_with_one_cache_trust_the_same_addresses():
    limits = Lockout(failures_per_address=0, failures_per_authid=1)
    run(limits, ("1.1.1.1", "joe", "succeeds"))
    assert run(limits, ("2.2.2.2", "joe", True), ("1.1.1.1", "joe", False), ("3.3.3.3", "joe", False))[:2] == [0, 0]


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
