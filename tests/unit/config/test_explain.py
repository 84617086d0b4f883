import json

import pytest

from wamp_transport.config.explain import explain
from wamp_transport.config.reader import read_mapping

EVERYTHING = {"call": True, "register": True, "publish": True, "subscribe": True}
ROLES = [
    {"name": "shop", "permissions": [
        {"uri": "", "match": "prefix", "allow": {"call": True}},
        {"uri": "com.shop.", "match": "prefix", "allow": {"publish": True}},
        {"uri": "com.shop.", "match": "prefix", "allow": EVERYTHING, "disclose": {"publisher": True}},
        {"uri": "com.shop.secret"},
        {"uri": "org..x", "match": "wildcard", "allow": {"subscribe": True}},
    ]},
    {"name": "open", "allow-by-default": True},
    {"name": "shut"},
    {"name": "procedure", "authorizer": "com.authorize"},
    {"name": "function", "authorizer_function": "shop.authorize"},
]  # fmt: skip


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    worker = {"type": "router", "realms": [{"name": "other"}, {"name": "realm1", "roles": ROLES}]}
    configuration = read_mapping({"version": 2, "workers": [worker]}, tmp_path_factory.mktemp("x"), source="test")
    assert configuration.realm_places == {"other": "workers[0].realms[0]", "realm1": "workers[0].realms[1]"}
    return configuration.realms[1]


def explained(realm, *arguments):
    return explain(realm, "workers[0].realms[1]", *arguments)


def place(number):
    return f"workers[0].realms[1].roles[0].permissions[{number}]"


@pytest.mark.parametrize(
    ("action", "uri", "match", "outcome", "deciding", "beaten"),
    [
        ("call", "com.shop.price", "exact", "allowed", 2, [1, 0]),
        ("call", "com.shop.secret", "exact", "denied", 3, [2, 1, 0]),
        ("call", "net.x", "exact", "allowed", 0, []),
        ("subscribe", "org.a.x", "exact", "denied", 0, [4]),
        ("subscribe", "com.shop.", "prefix", "allowed", 2, [1, 0]),
        ("subscribe", "org..x", "wildcard", "denied", 0, [4]),
        ("subscribe", "com", "prefix", "denied", 0, []),
    ],
)
def test_rule_that_decides_is_told_with_those_it_beats(realm, action, uri, match, outcome, deciding, beaten):
    told = explained(realm, "shop", action, uri, match)
    assert (told.outcome, told.error) == (outcome, "" if outcome == "allowed" else "wamp.error.not_authorized")
    assert told.rule.path == place(deciding)
    assert [rule.path for rule in told.beaten] == [place(number) for number in beaten]


def test_disclosure_is_told(realm):
    assert explained(realm, "shop", "publish", "com.shop.x").disclose
    assert not explained(realm, "shop", "call", "com.shop.x").disclose


@pytest.mark.parametrize(
    ("role", "action", "uri", "outcome", "error", "words"),
    [
        ("open", "call", "com.x", "allowed", "", "allow-by-default"),
        ("shut", "call", "com.x", "denied", "wamp.error.not_authorized", "no rule covers it"),
        ("open", "call", "com..x", "denied", "wamp.error.invalid_uri", "uri_check is loose"),
        ("open", "register", "wamp.x", "denied", "wamp.error.invalid_uri", "the router's own"),
        ("shut", "publish", "wamp.x", "denied", "wamp.error.not_authorized", "the router's own"),
        ("open", "call", "wamp.session.count", "allowed", "", "allow-by-default"),
        ("procedure", "call", "com.x", "asked", "", "the procedure com.authorize decides"),
        ("function", "call", "com.x", "asked", "", "the function shop.authorize decides"),
    ],
)
def test_decisions_without_a_rule_are_told(realm, role, action, uri, outcome, error, words):
    told = explained(realm, role, action, uri)
    assert (told.outcome, told.error, told.rule, told.beaten) == (outcome, error, None, ())
    assert words in told.reason


def test_unknown_role_is_an_error(realm):
    with pytest.raises(KeyError):
        explained(realm, "nobody", "call", "com.x")


def test_text_for_people(realm):
    assert str(explained(realm, "shop", "publish", "com.shop.x")).splitlines() == [
        'Role shop of realm realm1 may publish "com.shop.x": '
        "the rule that decides is the longest prefix that covers it.",
        "Receivers learn who it was.",
        f'  decides  {place(2)}: prefix "com.shop." allows call, register, publish, subscribe',
        f'  beaten   {place(1)}: prefix "com.shop." allows publish',
        f'  beaten   {place(0)}: prefix "" allows call',
    ]
    assert 'may not subscribe prefix "com"' in str(explained(realm, "shop", "subscribe", "com", "prefix"))
    assert "may perhaps call" in str(explained(realm, "function", "call", "com"))


def test_values_for_programs(realm):
    values = json.loads(json.dumps(explained(realm, "shop", "call", "com.shop.secret").as_mapping()))
    assert values["rule"] == {"path": place(3), "uri": "com.shop.secret", "match": "exact", "allows": []}
    assert len(values["beaten"]) == 3
