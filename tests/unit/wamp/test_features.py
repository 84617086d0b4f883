from wamp_transport.wamp.features import BROKER_FEATURES, DEALER_FEATURES, known_roles, router_roles
from wamp_transport.wamp.messages import ClientRole


def test_roles_announce_every_feature_as_true():
    roles = router_roles()
    assert roles.keys() == {"broker", "dealer"}
    assert roles["broker"]["features"] == {feature: True for feature in BROKER_FEATURES}
    assert roles["dealer"]["features"] == {feature: True for feature in DEALER_FEATURES}


def test_roles_are_made_anew_each_time():
    router_roles()["broker"]["features"].clear()
    assert router_roles()["broker"]["features"]


def test_only_roles_and_features_that_mean_something_are_kept():
    features = {"call_cancelling": True, "caller_identification": False, "x" * 1000: True}
    announced = {"caller": ClientRole(features), "callee": None, "subscriber": ClientRole(None), "y" * 1000: None}
    kept = {"call_cancelling": True, "caller_identification": False}
    assert known_roles(announced) == {"caller": ClientRole(kept), "callee": None, "subscriber": None}
