"""The door of a node: what is counted, who waits, what is written down."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from django.core.cache import cache

from wamp_transport.bootstrap import threads
from wamp_transport.bootstrap.identity.django_methods import UserDenied, UserSkipped
from wamp_transport.bootstrap.identity.login_guard import GuardedAuthenticator
from wamp_transport.config.limits import Lockout
from wamp_transport.router.decisions import Admit, ChallengePeer, Deny, Skip
from wamp_transport.router.effects import AuthenticationRequest
from wamp_transport.router.options import ServiceOptions
from wamp_transport.router.records import RemoteCaller, Session
from wamp_transport.wamp import errors
from wamp_transport.wamp.messages import Authenticate, Error, ErrorDetails, Hello, HelloDetails
from wamp_transport.wamp.payload import positional

pytestmark = pytest.mark.django_db  # its threads look whether their connections still work

LIMIT = 3
STRICT = Lockout(failures_per_address=0, failures_per_authid=LIMIT)


@pytest.fixture(autouse=True)
def _empty_cache():
    cache.clear()
    yield
    cache.clear()


class Inside:
    """Lets nobody in but who says so, once it is told to go on."""

    def __init__(self, *, waits=False):
        self.tried = []
        self.begun = asyncio.Semaphore(0)
        self.go = asyncio.Event()
        if not waits:
            self.go.set()

    async def authenticate(self, request):
        if request.method == "django-session":
            return Skip()
        if request.message is None:
            return ChallengePeer(request.method, {})
        self.tried.append(request.message.signature)
        self.begun.release()
        await self.go.wait()
        if request.message.signature == "broken":
            return Deny(errors.AUTHENTICATION_FAILED, "the authenticator failed")
        if request.message.signature == "right":
            return Admit("realm1", "joe", "user", request.method, "static")
        return Deny()


class Trail:
    def __init__(self):
        self.kinds = []
        self.columns = []

    def record(self, kind, **columns):
        self.kinds.append(kind)
        self.columns.append(columns)


def request(signature=None, *, authid="joe", realm="realm1", method="ticket", peer="tcp:192.0.2.1:5000"):
    message = None if signature is None else Authenticate(signature, {})
    hello = Hello(realm, HelloDetails(authid=authid))
    return AuthenticationRequest(1, 7, "service", method, hello, {"peer": peer}, message)


def door(inside, trail=None, limits=STRICT):
    return GuardedAuthenticator(inside, lambda: {"service": limits}, lambda _: None, None, trail or Trail())


def is_locked(answer):
    return isinstance(answer, Deny) and "too many failed logins" in answer.message


def test_failures_lock_the_authid_out_whatever_realm_or_address_is_said():
    async def whole():
        one, trail = Inside(), Trail()
        guarded = door(one, trail)
        for number in range(LIMIT):
            said = {"realm": f"realm{number}", "peer": f"tcp:192.0.2.{number}:5000"}
            assert await guarded.authenticate(request(f"guess{number}", **said)) == Deny()
        assert is_locked(await guarded.authenticate(request("right", realm="another", peer="tcp:192.0.2.9:1")))
        assert is_locked(await guarded.authenticate(request(realm=None)))
        assert await guarded.authenticate(request("guess", authid="ann")) == Deny()
        assert one.tried == ["guess0", "guess1", "guess2", "guess"]
        assert trail.kinds == ["failure"] * LIMIT + ["lockout"] * 2 + ["failure"]

    asyncio.run(whole())


def test_guess_that_cannot_be_counted_does_not_learn_whether_it_was_right(monkeypatch):
    monkeypatch.setattr(threads, "MAX_QUEUED_DATABASE_JOBS", 0)
    gate, begun = threading.Event(), threading.Semaphore(0)

    def work():
        begun.release()
        gate.wait(20)

    async def whole():
        inside, trail = Inside(), Trail()
        guarded = door(inside, trail)
        jobs = [asyncio.ensure_future(threads.in_thread(work)) for _ in range(threads.DATABASE_THREADS)]
        for _ in jobs:
            await asyncio.to_thread(begun.acquire)
        for signature in ("guess", "right"):
            answer = await guarded.authenticate(request(signature))
            assert answer == Deny(errors.UNAVAILABLE, "too many logins at the same time; try again later")
        gate.set()
        await asyncio.gather(*jobs)
        assert inside.tried == []
        assert trail.kinds == ["failure", "failure"]
        assert await guarded.authenticate(request("guess")) == Deny()

    asyncio.run(whole())


def test_many_guesses_at_a_time_are_not_more_than_one_after_the_other():
    async def whole():
        inside = Inside(waits=True)
        guarded = door(inside)
        guesses = [asyncio.ensure_future(guarded.authenticate(request(f"guess{number}"))) for number in range(50)]
        other = asyncio.ensure_future(guarded.authenticate(request("right", authid="ann")))
        for _ in range(LIMIT + 1):
            await inside.begun.acquire()
        inside.go.set()
        answers = await asyncio.gather(*guesses)
        assert isinstance(await other, Admit)
        return inside.tried, answers

    tried, answers = asyncio.run(whole())
    assert len(tried) - 1 <= 2 * LIMIT
    assert sum(map(is_locked, answers)) == 50 - (len(tried) - 1)


def test_many_right_logins_at_a_time_all_come_in():
    async def whole():
        inside = Inside()
        guarded = door(inside)
        answers = await asyncio.gather(*(guarded.authenticate(request("right")) for _ in range(50)))
        assert all(isinstance(answer, Admit) for answer in answers)
        assert guarded._throttle._queues == {}

    asyncio.run(whole())


def test_who_leaves_while_the_secret_is_checked_has_failed():
    async def whole():
        inside = Inside(waits=True)
        guarded = door(inside)
        for _ in range(LIMIT):
            guess = asyncio.ensure_future(guarded.authenticate(request("guess")))
            await inside.begun.acquire()
            guess.cancel()
            with pytest.raises(asyncio.CancelledError):
                await guess
            await asyncio.gather(*guarded._tasks)
        inside.go.set()
        assert is_locked(await guarded.authenticate(request("right")))
        assert guarded._throttle._queues == {}

    asyncio.run(whole())


def test_faults_that_are_nobodys_guess_are_not_counted():
    async def whole():
        trail = Trail()
        guarded = door(Inside(), trail)
        for _ in range(LIMIT * 2):
            answer = await guarded.authenticate(request("broken"))
            assert answer.reason == errors.AUTHENTICATION_FAILED
            assert await guarded.authenticate(request(method="django-session")) == Skip()
        assert isinstance(await guarded.authenticate(request("right")), Admit)
        assert trail.kinds == ["failure"] * (LIMIT * 2)

    asyncio.run(whole())


def test_login_that_led_to_no_session_is_written_down_as_a_failure():
    async def whole():
        trail = Trail()
        assert isinstance(await door(Inside(), trail).authenticate(request("right")), Admit)
        await asyncio.sleep(0)
        assert trail.kinds == ["failure"]

    asyncio.run(whole())


def test_keys_and_certificates_are_neither_counted_nor_locked_out():
    async def whole():
        guarded = door(Inside())
        for number in range(LIMIT):
            await guarded.authenticate(request(f"guess{number}"))
        assert is_locked(await guarded.authenticate(request("right")))
        for method in ("cryptosign", "tls"):
            for number in range(LIMIT + 1):
                assert await guarded.authenticate(request(f"guess{number}", method=method)) == Deny()
            assert isinstance(await guarded.authenticate(request("right", method=method)), Admit)

    asyncio.run(whole())


def test_names_of_one_method_share_their_count():
    async def whole():
        guarded = door(Inside())
        for number in range(LIMIT):
            await guarded.authenticate(request(f"guess{number}", method="scram"))
        assert is_locked(await guarded.authenticate(request("right", method="wamp-scram")))

    asyncio.run(whole())


def test_owner_with_an_earlier_login_cannot_be_locked_out_or_held_up_by_others():
    home, elsewhere = "tcp:192.0.2.1:5000", "tcp:198.51.100.7:5000"

    class Joined:
        id, state, realm, authid, authrole, authmethod = 7, "established", "realm1", "joe", "user", "ticket"
        transport: dict = {}

        class service:
            key = "service"

    async def whole():
        inside = Inside()
        guarded = GuardedAuthenticator(inside, lambda: {"service": STRICT}, lambda _: Joined, None, Trail())
        assert isinstance(await guarded.authenticate(request("right", peer=home)), Admit)
        await inside.begun.acquire()
        await asyncio.sleep(0)  # the guard handles the admission on the next turn of the loop
        await asyncio.gather(*guarded._tasks)
        inside.go.clear()
        guesses = [
            asyncio.ensure_future(guarded.authenticate(request(f"guess{number}", peer=elsewhere)))
            for number in range(5 * LIMIT)
        ]
        for _ in range(LIMIT):
            await inside.begun.acquire()
        owner = asyncio.ensure_future(guarded.authenticate(request("right", peer=home)))
        await inside.begun.acquire()
        assert inside.tried[-1] == "right"
        inside.go.set()
        assert isinstance(await owner, Admit)
        await asyncio.gather(*guesses)
        assert is_locked(await guarded.authenticate(request("right", peer=elsewhere)))
        assert isinstance(await guarded.authenticate(request("right", peer=home)), Admit)

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("uri", "is_recorded"),
    [
        (errors.NOT_AUTHORIZED, True),
        (errors.AUTHORIZATION_FAILED, True),
        (errors.QUOTA_EXCEEDED, True),
        (errors.NO_SUCH_PROCEDURE, False),
    ],
)
def test_actions_denied_by_permissions_and_limits_are_recorded(uri, is_recorded):
    trail = Trail()
    session = Session(1, ServiceOptions("service"), "json")
    session.authid = "joe"
    error = Error(16, 1, ErrorDetails(), uri, positional("the reason"))
    door(Inside(), trail).on_denied(session, error)
    assert [(one["authid"], one["reason"], one["detail"]) for one in trail.columns] == (
        [("joe", uri, "the reason")] if is_recorded else []
    )


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (UserDenied(errors.NO_SUCH_ROLE, "this user has no role here", "ann"), "this user has no role here"),
        (UserSkipped("ann", "the user is not active"), "the user is not active"),
        (Admit("other", "ann", "user", "django-session", "django"), "refused by the realm"),
    ],
)
def test_failed_login_of_a_known_user_names_the_user(answer, detail):
    class Answering:
        async def authenticate(self, request):
            return answer

    async def whole():
        trail, failures = Trail(), []
        guard = GuardedAuthenticator(
            Answering(), lambda: {"service": STRICT}, lambda _: None, None, trail, failures.append
        )
        assert await guard.authenticate(request(authid=None, method="django-session")) is answer
        await asyncio.sleep(0)
        assert trail.kinds == ["failure"]
        assert (trail.columns[0]["authid"], trail.columns[0]["detail"]) == ("ann", detail)
        assert all(failure.authid == "ann" for failure in failures)
        assert bool(failures) is not isinstance(answer, UserSkipped)

    asyncio.run(whole())


@pytest.mark.parametrize("is_remote", [False, True])
def test_entry_for_an_ended_session_says_who_ended_whom(is_remote):
    def session(number, name, address):
        transport = {"peer": f"tcp:{address}:5000"}
        return SimpleNamespace(
            id=number,
            realm="realm1",
            authid=name,
            authrole="user",
            authmethod="ticket",
            transport=transport,
            service=SimpleNamespace(key="service"),
        )

    trail = Trail()
    transport = {"peer": "tcp:192.0.2.2:5000"}
    killer = RemoteCaller(2, "ann", "user", "realm1", transport) if is_remote else session(2, "ann", "192.0.2.2")
    door(Inside(), trail).on_killed(session(1, "joe", "192.0.2.1"), killer, "com.reason")
    assert trail.kinds == ["kill"]
    (columns,) = trail.columns
    assert (columns["authid"], columns["session"], columns["address"]) == ("joe", 1, "192.0.2.1")
    assert (columns["reason"], columns["detail"]) == (
        "com.reason",
        "by ann (role user, session 2) from 192.0.2.2",
    )
