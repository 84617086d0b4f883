"""Parts of a realm without a router: sessions that have joined, roles, and an outbox."""

from collections.abc import Callable
from itertools import count

import pytest

from wamp_transport.router.effects import Effect
from wamp_transport.router.options import Permission, RoleOptions, ServiceOptions
from wamp_transport.router.permissions import Role
from wamp_transport.router.records import Session


@pytest.fixture
def outbox() -> list[Effect]:
    """Where effects are left."""
    return []


@pytest.fixture
def roles() -> dict[str, Role]:
    """``all`` may do everything, ``some`` what is below ``com.`` but for ``com.secret``, ``none`` nothing."""
    everything = {"call": True, "register": True, "publish": True, "subscribe": True}
    rules = (
        Permission("com.", "prefix", **everything),
        Permission("com.secret"),
        Permission("com.known", disclose_caller=True, disclose_publisher=True, **everything),
    )
    options = [RoleOptions("all", allow_by_default=True), RoleOptions("some", rules), RoleOptions("none")]
    return {each.name: Role(each, loose_uris=False) for each in options}


@pytest.fixture
def new_session() -> Callable[..., Session]:
    """Makes sessions that have joined."""
    ids = count(1)

    def make(role: str = "all", authid: str = "") -> Session:
        session = Session(next(ids), ServiceOptions("test"), "json")
        session.state = "established"
        session.realm, session.authrole, session.authid = "realm1", role, authid or f"user{session.id}"
        return session

    return make
