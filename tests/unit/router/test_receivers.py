import pytest

from wamp_transport.router.receivers import chooser, receivers
from wamp_transport.router.records import Subscription
from wamp_transport.wamp.messages import PublishOptions


@pytest.fixture
def subscribers(new_session):
    return [new_session("user", "anna"), new_session("user", "ben"), new_session("admin", "carl")]


@pytest.fixture
def subscription(subscribers):
    subscription = Subscription(1, "com.x", "exact")
    for session in subscribers:
        subscription.add(session)
    return subscription


def chosen(subscription, publisher, exclude_me=True, **options):
    ids = receivers(subscription, publisher, chooser(PublishOptions(**options)), exclude_me)
    return [subscription.subscribers[each].authid for each in ids]


def test_everybody_is_chosen_at_no_cost_without_lists(subscription, new_session):
    assert chooser(PublishOptions(exclude=[], exclude_authid=[], exclude_authrole=[])) is None
    assert receivers(subscription, new_session(), None, True) is subscription.receivers


@pytest.mark.parametrize("options", [{}, {"exclude": [99]}])
def test_publisher_is_left_out_unless_it_asks(subscription, subscribers, options):
    assert chosen(subscription, subscribers[0], **options) == ["ben", "carl"]
    assert chosen(subscription, subscribers[0], exclude_me=False, **options) == ["anna", "ben", "carl"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"eligible": [1, 3]}, ["anna", "carl"]),
        ({"eligible": []}, []),
        ({"eligible_authid": ["ben"]}, ["ben"]),
        ({"eligible_authrole": ["admin"]}, ["carl"]),
        ({"exclude": [1]}, ["ben", "carl"]),
        ({"exclude_authid": ["ben"]}, ["anna", "carl"]),
        ({"exclude_authrole": ["user"]}, ["carl"]),
        ({"eligible": [1, 2], "exclude": [2]}, ["anna"]),
        ({"eligible_authrole": ["user"], "eligible_authid": ["carl", "ben"]}, ["ben"]),
    ],
)
def test_lists_narrow_the_receivers(subscription, new_session, options, expected):
    assert chosen(subscription, new_session(), **options) == expected
