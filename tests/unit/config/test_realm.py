import pytest

from wamp_transport.config import router_options
from wamp_transport.config.realm import PermissionSection, find_unreachable, open_realm, pattern_of
from wamp_transport.router.options import AuthorizerOptions, HistoryOptions, Permission

PLACE = "workers[0].realms[0]"


def roles_of(node, read):
    return router_options(read(node).configuration).realms["realm1"].roles


@pytest.mark.parametrize("name", ["abc", "A1-_@.", "realm1", "a" * 255, "0x" + "aB" * 20])
def test_good_realm_name_is_accepted(worker, node, read, name):
    worker["realms"][0]["name"] = name
    assert not read(node).faults


@pytest.mark.parametrize("name", ["", "ab", "1ab", "a b c", "a" * 256, "abc\n", "äbc", "0x12", 5, None, ["abc"]])
def test_bad_realm_name_is_refused(worker, node, read, name):
    worker["realms"][0]["name"] = name
    assert "expected 3 to 255 letters" in read(node).faults[f"{PLACE}.name"].message


@pytest.mark.parametrize(
    ("uri", "pattern"),
    [
        ("a.b", ("a.b", "exact")),
        ("", ("", "exact")),
        ("*", ("", "prefix")),
        ("a*", ("a", "prefix")),
        ("a.b.*", ("a.b.", "prefix")),
        ("a.*.c", ("a..c", "wildcard")),
        ("*.b", (".b", "wildcard")),
        ("a.*.*", ("a..", "wildcard")),
        ("a*b", None),
        ("a.*.c*", None),
        ("**", None),
    ],
)
def test_stars_mean_a_match(uri, pattern):
    assert pattern_of(uri) == pattern


def test_permission_is_handed_to_the_router():
    given = {
        "uri": "com.*",
        "allow": {"call": True, "register": True, "publish": True, "subscribe": True},
        "disclose": {"caller": True, "publisher": True},
        "cache": True,
    }
    permission = PermissionSection.model_validate(given).permission()
    assert permission == Permission("com.", "prefix", True, True, True, True, True, True)


def test_permission_with_match_keeps_its_uri():
    given = {"uri": "a..c", "match": "wildcard", "allow": {"publish": True}}
    assert PermissionSection.model_validate(given).permission() == Permission("a..c", "wildcard", publish=True)


def test_star_beside_match_is_told_to_have_no_meaning(worker, node, read):
    worker["realms"][0]["options"] = {"uri_check": "loose"}
    worker["realms"][0]["roles"][0]["permissions"] = [{"uri": "a.*", "match": "prefix"}]
    assert "no meaning" in read(node).notices[f"{PLACE}.roles[0].permissions[0].uri"].message


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({}, "uri", "required and missing"),
        ({"uri": 5}, "uri", "found 5"),
        ({"uri": "a b"}, "uri", "no blanks"),
        ({"uri": "a#b"}, "uri", "no blanks"),
        ({"uri": "a*b"}, "uri", "whole component"),
        ({"uri": "a", "match": "regex"}, "match", '"exact", "prefix", "wildcard"'),
        ({"uri": "a", "allow": {"call": 1}}, "allow.call", "true or false"),
        ({"uri": "a", "allow": {"cal": True}}, "allow.cal", "unknown attribute"),
        ({"uri": "a", "allow": True}, "allow", "an object"),
        ({"uri": "a", "call": True}, "call", "unknown attribute"),
        ({"uri": "a", "disclose": {"callee": True}}, "disclose.callee", "unknown attribute"),
        ({"uri": "a", "disclose": {"caller": "yes"}}, "disclose.caller", "true or false"),
        ({"uri": "a", "cache": 1}, "cache", "true or false"),
        ({"uri": "a", "validate": {"call": "x"}}, "validate", "let any payload pass"),
        ("a", "", "an object"),
        ({"uri": "." * 64, "match": "wildcard"}, "uri", "at most 64 components, not 65"),
        ({"uri": "a." * 64, "match": "prefix"}, "uri", "at most 64 components, not 65"),
        ({"uri": "*." * 64 + "a"}, "uri", "at most 64 components, not 65"),
    ],
)
def test_bad_permission_is_refused(worker, problems, given, path, words):
    worker["realms"][0]["roles"][0]["permissions"] = [given]
    assert words in problems(f"{PLACE}.roles[0].permissions[0]")[0][path].message


def test_misspelt_action_gets_a_suggestion(worker, problems):
    worker["realms"][0]["roles"][0]["permissions"] = [{"uri": "a", "allow": {"publsh": True}}]
    assert problems(PLACE)[0]["roles[0].permissions[0].allow.publsh"].hint == "did you mean 'publish'?"


def test_later_permission_for_the_same_uris_counts(worker, node, read):
    worker["realms"][0]["roles"][0]["permissions"] = [
        {"uri": "a.*", "allow": {"call": True}},
        {"uri": "a.", "match": "prefix"},
    ]
    assert "no effect" in read(node).notices[f"{PLACE}.roles[0].permissions[0]"].message
    assert roles_of(node, read)["anonymous"].permissions == (Permission("a.", "prefix"),)


@pytest.mark.parametrize(
    ("uri", "match", "uri_check"),
    [
        ("Com.Example", "exact", "strict"),
        ("a-b", "prefix", "strict"),
        ("a..b", "exact", "loose"),
        ("", "exact", "loose"),
    ],
)
def test_permission_for_uris_that_the_realm_refuses_is_reported(worker, node, read, uri, match, uri_check):
    worker["realms"][0]["options"] = {"uri_check": uri_check}
    worker["realms"][0]["roles"][0]["permissions"] = [{"uri": uri, "match": match}]
    assert "covers no URI" in read(node).notices[f"{PLACE}.roles[0].permissions[0].uri"].message


def test_permissions_are_loose_unless_configured(worker, node, read):
    worker["realms"][0]["roles"][0]["permissions"] = [{"uri": "Com.Example-1"}]
    outcome = read(node)
    assert not outcome.notices
    assert router_options(outcome.configuration).realms["realm1"].loose_uris


def test_uri_check_can_be_strict(worker, node, read):
    worker["realms"][0]["options"] = {"uri_check": "strict"}
    assert not router_options(read(node).configuration).realms["realm1"].loose_uris


def test_realm_without_roles_allows_nothing(worker, node, read):
    worker["realms"] = [{"name": "realm1"}]
    assert roles_of(node, read) == {}


def test_allow_by_default_counts_without_permissions_only(worker, node, read):
    worker["realms"][0]["roles"] = [
        {"name": "open", "allow-by-default": True},
        {"name": "closed"},
        {"name": "listed", "allow-by-default": True, "permissions": []},
    ]
    roles = roles_of(node, read)
    assert [roles[name].allow_by_default for name in ("open", "closed", "listed")] == [True, False, False]
    assert f"{PLACE}.roles[2].allow-by-default" in read(node).notices


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({}, "name", "required and missing"),
        ({"name": ""}, "name", "name of a role"),
        ({"name": "a b"}, "name", "name of a role"),
        ({"name": "trusted"}, "name", "router's own"),
        ({"name": "x", "authorizer": "com..example"}, "authorizer", "URI of a procedure"),
        ({"name": "x", "authorizer": {}}, "authorizer", "URI of a procedure"),
        (
            {"name": "x", "authorizer": "com.x", "permissions": [{"uri": "a"}]},
            "authorizer",
            "together with `permissions`",
        ),
        ({"name": "x", "authorizer_function": "authorize"}, "authorizer_function", "dotted path"),
        ({"name": "x", "authorizer_function": "a.b:c"}, "authorizer_function", "dotted path"),
        ({"name": "x", "authorizer_function": "a.b", "authorizer": "a.b"}, "authorizer_function", "together with"),
        ({"name": "x", "authorizer": "a.b", "authorizer_timeout": 0}, "authorizer_timeout", "1 or more"),
        ({"name": "x", "authorizer": "a.b", "authorizer_cache_time": -1}, "authorizer_cache_time", "0 or more"),
        ({"name": "x", "permissions": {}}, "permissions", "a list of objects"),
        ({"name": "x", "permission": []}, "permission", "unknown attribute"),
        ({"name": "x", "allow_by_default": True}, "allow_by_default", "unknown attribute"),
        ({"name": "x", "allow-by-default": "yes"}, "allow-by-default", "true or false"),
        ("x", "", "an object"),
    ],
)
def test_bad_role_is_refused(worker, problems, given, path, words):
    worker["realms"][0]["roles"].append(given)
    assert words in problems(f"{PLACE}.roles[1]")[0][path].message


def test_authorizer_decides_for_a_role(worker, node, read):
    more = {"authorizer_timeout": 1500, "authorizer_cache_time": 0, "authorizer_cache_per_authid": True}
    worker["realms"][0]["roles"] = [
        {"name": "anonymous", "authorizer": "com.example.authorize"},
        {"name": "own", "authorizer_function": "shop.wamp.authorize", **more},
        {"name": "none", "authorizer": None},
        {"name": "empty", "authorizer": "com.example.authorize", "permissions": []},
    ]
    roles = roles_of(node, read)
    assert roles["anonymous"].authorizer == AuthorizerOptions("com.example.authorize", 10.0, 300)
    assert roles["own"].authorizer == AuthorizerOptions("function:shop.wamp.authorize", 1.5, 0, True)
    assert roles["none"].authorizer is None
    assert roles["empty"].authorizer == AuthorizerOptions("com.example.authorize", 10.0, 300)
    assert not read(node).notices


def test_what_has_no_effect_beside_an_authorizer_or_without_is_told(worker, node, read):
    worker["realms"][0]["roles"] = [
        {"name": "anonymous", "authorizer": "com.example.authorize", "allow-by-default": True},
        {"name": "static", "authorizer_timeout": 1000},
    ]
    place = f"{PLACE}.roles"
    assert {f"{place}[0].allow-by-default", f"{place}[1].authorizer_timeout"} == set(read(node).notices)


def test_role_given_twice_is_refused(worker, problems):
    worker["realms"][0]["roles"] *= 2
    assert "already used by roles[0]" in problems(PLACE)[0]["roles[1].name"].message


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ({"uri_check": "lax"}, "options.uri_check", '"strict", "loose"'),
        ({"event_dispatching_chunk_size": 0}, "options.event_dispatching_chunk_size", "1 or more"),
        ({"enable_meta_api": 1}, "options.enable_meta_api", "true or false"),
        ({"bridge_meta_api": 1}, "options.bridge_meta_api", "true or false"),
        ({"meta": True}, "options.meta", "unknown attribute"),
        ([], "options", "an object"),
    ],
)
def test_bad_realm_option_is_refused(worker, problems, given, path, words):
    worker["realms"][0]["options"] = given
    assert words in problems(PLACE)[0][path].message


@pytest.mark.parametrize(("key", "value"), [("event_dispatching_chunk_size", 50), ("bridge_meta_api", True)])
def test_realm_option_not_offered_is_told(worker, problems, key, value):
    worker["realms"][0]["options"] = {key: value}
    assert list(problems(PLACE)[1]) == [f"options.{key}"]


@pytest.mark.parametrize(
    ("key", "value"), [("event_dispatching_chunk_size", 100), ("enable_meta_api", False), ("bridge_meta_api", False)]
)
def test_realm_option_that_says_what_is_so_goes_without_notice(worker, problems, key, value):
    worker["realms"][0]["options"] = {key: value}
    assert problems(PLACE) == ({}, {})


@pytest.mark.parametrize("key", ["stats", "inventory", "rlinks"])
def test_part_of_a_realm_not_offered_is_told(worker, problems, key):
    worker["realms"][0][key] = {"type": "memory"}
    assert list(problems(PLACE)[1]) == [key]


def test_open_realm_keeps_the_routers_own_uris_closed(worker, node, read):
    worker["realms"] = [open_realm()]
    assert roles_of(node, read)["anonymous"].permissions == (
        Permission("", "prefix", call=True, register=True, publish=True, subscribe=True),
        Permission("wamp.", "prefix"),
    )


def realm_of(node, read):
    return router_options(read(node).configuration).realms["realm1"]


@pytest.mark.parametrize(
    ("given", "is_strict", "notice"),
    [
        ({}, False, None),
        ({"lenient_progress": None}, False, None),
        ({"lenient_progress": True}, False, "default"),
        ({"lenient_progress": False}, True, "strict_progress: true"),
        ({"lenient_progress": False, "strict_progress": False}, False, "has no effect"),
        ({"lenient_progress": True, "strict_progress": True}, True, "has no effect"),
    ],
)
def test_former_name_of_strict_progress_is_understood(worker, node, read, given, is_strict, notice):
    worker["realms"][0]["options"] = given
    outcome = read(node)
    assert router_options(outcome.configuration).realms["realm1"].strict_progress is is_strict
    notices = {path: str(problem) for path, problem in outcome.notices.items()}
    assert list(notices) == ([f"{PLACE}.options.lenient_progress"] if notice else [])
    assert not notice or notice in notices[f"{PLACE}.options.lenient_progress"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("enable_meta_api", False, False),
        ("allow_disclose_me", False, False),
        ("strict_request_ids", True, True),
        ("timeouts_in_seconds", True, True),
        ("strict_progress", True, True),
        ("dialect", None, "specification"),
        ("dialect", "crossbar", "crossbar"),
        ("max_call_timeout", 1500, 1.5),
        ("max_retained", 0, 0),
        ("max_retained_size", 1000, 1000),
        ("max_retained_share", 10, 10),
        ("max_retained_age", 60, 60),
        ("max_history_size", 0, 0),
        ("max_testaments_size", 1000, 1000),
        ("max_session_testaments_size", 1000, 1000),
    ],
)
def test_realm_option_reaches_the_router(worker, node, read, key, value, expected):
    worker["realms"][0]["options"] = {key: value}
    assert getattr(realm_of(node, read), key) == expected


@pytest.mark.parametrize("key", ["max_call_timeout", "max_retained", "max_retained_share", "max_history_size"])
@pytest.mark.parametrize("value", [-1, True, "1", 1.5])
def test_limit_that_is_no_count_is_refused(worker, problems, key, value):
    worker["realms"][0]["options"] = {key: value}
    assert list(problems(PLACE)[0]) == [f"options.{key}"]


def test_trustlevel_reaches_the_router(worker, node, read):
    worker["realms"][0]["roles"][0]["trustlevel"] = 5
    assert realm_of(node, read).roles["anonymous"].trustlevel == 5


def test_history_takes_the_limit_of_its_store_unless_it_has_its_own(worker, node, read):
    worker["realms"][0]["store"] = {
        "type": "database",
        "limit": 7,
        "event-history": [{"uri": "a.b"}, {"uri": "a.", "match": "prefix", "limit": 3, "max_age": 60}],
    }
    assert realm_of(node, read).history == (
        HistoryOptions("a.b", "exact", 7, 0, is_durable=True),
        HistoryOptions("a.", "prefix", 3, 60, is_durable=True),
    )


def test_sync_is_for_histories_in_the_database(worker, node, read, problems):
    worker["realms"][0]["store"] = {"type": "database", "sync": True, "event-history": [{"uri": "a.b"}]}
    assert realm_of(node, read).history == (HistoryOptions("a.b", "exact", 100, is_durable=True, is_synced=True),)
    worker["realms"][0]["store"]["type"] = "memory"
    assert realm_of(node, read).history == (HistoryOptions("a.b", "exact", 100),)
    assert list(problems(PLACE)[1]) == ["store.sync"]


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ({"type": "cfxdb"}, "store.type"),
        ({"limit": 0}, "store.limit"),
        ({"event-history": [{"uri": "a b"}]}, "store.event-history[0].uri"),
        ({"event-history": [{"match": "exact"}]}, "store.event-history[0].uri"),
        ({"event-history": [{"uri": "a", "limit": 0}]}, "store.event-history[0].limit"),
        ({"event-history": [{"uri": "." * 64, "match": "wildcard"}]}, "store.event-history[0].uri"),
    ],
)
def test_bad_store_is_refused(worker, problems, store, place):
    worker["realms"][0]["store"] = store
    assert place in problems(PLACE)[0]


def test_queue_of_calls_is_told_to_be_ignored(worker, problems):
    worker["realms"][0]["store"] = {"type": "memory", "call-queue": [{"uri": "a"}]}
    assert list(problems(PLACE)[1]) == ["store.call-queue"]


def messages_about(*patterns, allow=frozenset({"call"})):
    return {finding.location: finding.message for finding in find_unreachable(patterns, [allow] * len(patterns))}


@pytest.mark.parametrize(
    ("prefix", "wildcard"),
    [("", "a..c"), ("", "."), ("a", "a..c"), ("a.", "a..c"), ("a.b", "a.b.."), ("", ".b.")],
)
def test_wildcard_below_a_prefix_never_decides(prefix, wildcard):
    findings = messages_about((wildcard, "wildcard"), None, (prefix, "prefix"))
    assert list(findings) == [("permissions", 0)]
    assert f'permissions[2] (prefix "{prefix}") covers all of it' in findings["permissions", 0]


@pytest.mark.parametrize(
    "patterns",
    [
        [("a.b", "prefix"), ("a..c", "wildcard")],
        [("b.", "prefix"), (".b", "wildcard")],
        [("a..", "wildcard"), ("a..c", "wildcard")],
        [("", "prefix"), ("a.", "prefix"), ("a.b", "exact")],
    ],
)
def test_rule_that_decides_somewhere_is_not_reported(patterns):
    assert messages_about(*patterns) == {}


def test_longest_prefix_is_named():
    assert "permissions[1]" in messages_about(("", "prefix"), ("a.", "prefix"), ("a..c", "wildcard"))["permissions", 2]


def test_rights_that_nobody_can_have_are_reported():
    everything = frozenset({"call", "register", "publish", "subscribe"})
    findings = messages_about(("wamp.session.", "prefix"), ("wampum", "prefix"), ("", "prefix"), allow=everything)
    assert list(findings) == [("permissions", 0, "allow")]
    assert findings["permissions", 0, "allow"].startswith("publish and register has no effect")
