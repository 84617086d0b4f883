from wamp_transport.router.calls import end_call, open_call, was_invoked
from wamp_transport.wamp.ids import MAX_ID


def test_call_is_known_at_both_ends(new_session):
    caller, callee = new_session(), new_session()
    call = open_call(caller, 7, callee)
    assert caller.calls == {7: call}
    assert callee.invocations == {1: call}


def test_invocation_ids_count_per_callee(new_session):
    caller, callee, other = new_session(), new_session(), new_session()
    assert [open_call(caller, number, callee).invocation_id for number in (5, 6)] == [1, 2]
    assert open_call(caller, 7, other).invocation_id == 1


def test_invocation_ids_begin_again_after_the_last(new_session):
    callee = new_session()
    callee.last_invocation = MAX_ID - 1
    assert [open_call(new_session(), number, callee).invocation_id for number in (1, 2)] == [MAX_ID, 1]


def test_ended_call_is_forgotten_at_both_ends(new_session):
    caller, callee = new_session(), new_session()
    call = open_call(caller, 7, callee)
    end_call(call)
    assert not caller.calls
    assert not callee.invocations
    end_call(call)


def test_ended_invocation_was_still_sent(new_session):
    callee = new_session()
    end_call(open_call(new_session(), 7, callee))
    assert was_invoked(callee, 1)
    assert not was_invoked(callee, 2)
