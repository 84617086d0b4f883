"""Logins without a node: a world that stands still, and coroutines that never wait."""

from itertools import count

import pytest

from wamp_transport.auth.principals import Principal, World
from wamp_transport.router.effects import AuthenticationRequest
from wamp_transport.wamp.messages import Authenticate, Hello, HelloDetails

TIMESTAMP = "2026-01-01T00:00:00.000Z"


def run(coroutine):
    """What a coroutine that never waits comes to."""
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    return end.value.value


def request_of(method, authid="joe", *, realm="realm1", transport=None, **authextra):
    """A login that has just begun."""
    details = HelloDetails(authmethods=[method], authid=authid, authextra=authextra or None)
    return AuthenticationRequest(1, 7, "service", method, Hello(realm, details), transport or {})


class Offloading:
    """A world's ``offload`` that counts."""

    def __init__(self):
        self.count = 0

    async def __call__(self, function):
        self.count += 1
        return function()


class Listed:
    """A source of principals by authid."""

    provider = "static"

    def __init__(self, **principals):
        self.principals = principals
        self.lookups = []

    async def find(self, lookup):
        self.lookups.append(lookup)
        found = self.principals.get(lookup.authid)
        if isinstance(found, Exception):
            raise found
        return found

    def model(self, choice, realm=None):
        principals = [each for each in self.principals.values() if isinstance(each, Principal)]
        return principals[choice % len(principals)] if principals else None


class Login:
    """One method, driven through its steps."""

    def __init__(self, method, world):
        self.method = method
        self.world = world

    def begin(self, request):
        return run(self.method.begin(request))

    def finish(self, request, challenge, signature, **extra):
        message = Authenticate(signature, extra)
        return run(self.method.finish(request, message, challenge.pending))


@pytest.fixture
def world():
    """A world whose random octets count upwards."""
    numbers = count(1)
    return World(
        random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
        timestamp=lambda: TIMESTAMP,
        offload=Offloading(),
        secret_key=b"k" * 32,
        router_key=b"r" * 32,
    )


@pytest.fixture
def login(world):
    """Makes a login by a method over principals."""
    return lambda method, principals, *rest: Login(method(principals, world, *rest), world)
