from wamp_transport.router.decisions import GENERIC_DENIAL, Admit, Deny, Permit


def test_denial_is_generic_by_default():
    assert Deny() == Deny("wamp.error.authentication_denied", GENERIC_DENIAL)


def test_permit_promises_nothing_beyond_this_once():
    assert Permit(True) == Permit(True, disclose=False, cache=False)


def test_principals_are_compared_by_value():
    assert Admit("r", "a", "user", "ticket", "static") == Admit("r", "a", "user", "ticket", "static", None)
    assert Admit("r", "a", "user", "ticket", "static") != Admit("r", "b", "user", "ticket", "static")
