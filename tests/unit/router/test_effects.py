from wamp_transport.router.effects import AwaitNextHello, Close, Record, Send, SessionJoined, SessionLeft, StopSending
from wamp_transport.router.options import ServiceOptions
from wamp_transport.router.records import Publication, Session
from wamp_transport.wamp.messages import Publish, Published, PublishOptions


def test_effects_are_compared_by_value():
    assert Send((1,), Published(1, 2), "json") == Send((1,), Published(1, 2), "json")
    assert AwaitNextHello(1) != AwaitNextHello(2)


def test_close_needs_no_sentence():
    assert Close(1, "wamp.close.normal") == Close(1, "wamp.close.normal", "")


def test_stop_sending_is_not_close():
    assert StopSending(1) == StopSending(1)
    assert StopSending(1) != Close(1, "wamp.close.normal")


def test_coming_and_going_are_about_a_session():
    one, other = (Session(number, ServiceOptions("x"), "json") for number in (1, 2))
    assert SessionJoined(one) == SessionJoined(one)
    assert SessionJoined(one) != SessionJoined(other)
    assert SessionLeft(one, "wamp.close.normal") != SessionLeft(one, "wamp.close.killed")


def test_record_names_the_history_it_is_for():
    publication = Publication(1, Publish(1, PublishOptions(), "com.x"), "json", 1, "", "", False)
    record = Record("realm1", "prefix", "com.", publication, 1)
    assert record == Record("realm1", "prefix", "com.", publication, 1)
    assert record != Record("realm1", "exact", "com.x", publication, 1)
