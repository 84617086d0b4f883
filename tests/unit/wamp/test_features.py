from wamp_transport.wamp.features import BROKER_FEATURES, DEALER_FEATURES, router_roles


def test_roles_announce_every_feature_as_true():
    roles = router_roles()
    assert roles.keys() == {"broker", "dealer"}
    assert roles["broker"]["features"] == {feature: True for feature in BROKER_FEATURES}
    assert roles["dealer"]["features"] == {feature: True for feature in DEALER_FEATURES}


def test_roles_are_made_anew_each_time():
    router_roles()["broker"]["features"].clear()
    assert router_roles()["broker"]["features"]
