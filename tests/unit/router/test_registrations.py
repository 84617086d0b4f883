import pytest

from wamp_transport.router.records import Callee, Registration
from wamp_transport.router.registrations import add_callee
from wamp_transport.wamp.messages import RegisterOptions


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_callees_are_in_the_order_of_their_numbers(new_session, numbers):
    registration = Registration(1, "com.example.procedure", "exact", "first", "")
    for number in numbers:
        add_callee(registration, Callee(new_session(), number, RegisterOptions()))
    assert [callee.number for callee in registration.callees.values()] == [1, 2, 3]
    for session_id, callee in registration.callees.items():
        assert callee.peer.id == session_id
        assert callee.peer.registrations == {1: registration}
