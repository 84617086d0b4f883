import pytest
from wamp_transport.router.decisions import Admit, ChallengePeer, Deny

from tests.unit.auth.conftest import Listed, request_of
from wamp_transport.auth.principals import CraKeys, Principal
from wamp_transport.auth.ticket import DelayedTickets, PlainTickets, TicketMethod


class Slow(PlainTickets):
    is_slow = True


JOE = Principal("user", credential=PlainTickets(("old", "secret!!!")))


@pytest.mark.parametrize("authid", ["joe", "nobody", None])
def test_everybody_is_challenged_alike_and_nobody_looked_up(login, authid):
    source = Listed(joe=JOE)
    assert login(TicketMethod, source).begin(request_of("ticket", authid)) == ChallengePeer("ticket", {})
    assert not source.lookups


@pytest.mark.parametrize("ticket", ["old", "secret!!!"])
def test_any_valid_ticket_admits(login, ticket):
    source = Listed(joe=JOE)
    answer = login(TicketMethod, source).finish(request_of("ticket"), ChallengePeer("ticket", {}), ticket)
    assert answer == Admit("realm1", "joe", "user", "ticket", "static", None)
    assert source.lookups[0].ticket == ticket


@pytest.mark.parametrize(
    ("authid", "ticket"), [("joe", "secret!!"), ("joe", ""), ("joe", "ü\udc00"), ("jim", "old"), (None, "old")]
)
def test_wrong_ticket_and_unknown_peer_are_denied_alike(login, authid, ticket):
    steps = login(TicketMethod, Listed(joe=JOE))
    assert steps.finish(request_of("ticket", authid), ChallengePeer("ticket", {}), ticket) == Deny()


def test_source_that_has_checked_the_ticket_itself_is_believed(login):
    steps = login(TicketMethod, Listed(joe=Principal("user")))
    assert isinstance(steps.finish(request_of("ticket"), ChallengePeer("ticket", {}), "x"), Admit)


def test_slow_check_runs_elsewhere(login, world):
    steps = login(TicketMethod, Listed(joe=Principal("user", credential=Slow(("x",), True))))
    assert isinstance(steps.finish(request_of("ticket"), ChallengePeer("ticket", {}), "x"), Admit)
    assert steps.finish(request_of("ticket"), ChallengePeer("ticket", {}), "y") == Deny()
    assert world.offload.count == 2


def test_credential_of_another_method_admits_nobody(login):
    steps = login(TicketMethod, Listed(joe=Principal("user", credential=CraKeys(("x",)))))
    assert steps.finish(request_of("ticket"), ChallengePeer("ticket", {}), "x") == Deny()


@pytest.mark.parametrize("ticket", ["right", "wrong"])
def test_fast_ticket_beside_slow_ones_takes_their_time(ticket):
    asked = []

    class Delay(PlainTickets):
        def accepts(self, ticket):
            asked.append(ticket)
            return False

    check = DelayedTickets(PlainTickets(("right",)), Delay(()))
    assert check.is_slow
    assert check.accepts(ticket) is (ticket == "right")
    assert asked == [ticket]


def test_tickets_are_not_shown():
    assert "hunter2" not in repr(PlainTickets(("hunter2",)))
