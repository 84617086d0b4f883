"""Configurations for the tests of what keeps them: a small one, and Hypothesis strategies for any."""

import copy
from typing import Any

from hypothesis import strategies as st

from wamp_transport.admin.row_form import put_at
from wamp_transport.config.forms import fields_of

REALM = {
    "name": "realm1",
    "roles": [{"name": "anonymous", "permissions": [{"uri": "*", "allow": {"call": True, "subscribe": True}}]}],
}


def node(**paths: Any) -> dict[str, Any]:
    """A node with one web transport and the services given."""
    transport = {"type": "web", "endpoint": {"type": "tcp", "port": 8080}, "paths": paths}
    return {"version": 2, "workers": [{"type": "router", "realms": [copy.deepcopy(REALM)], "transports": [transport]}]}


keys = st.text("abcXYZ019_-", min_size=1, max_size=5)
identifiers = st.from_regex(r"[a-z][a-z0-9_]{2,8}", fullmatch=True)
uris = st.sampled_from(["", "*", "a", "com.example", "com.example.*", "a.*.c", "a.b.", "x..y"])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def maybe(**given: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these keys."""
    return st.fixed_dictionaries({}, optional=given)


@st.composite
def settings_of(draw: st.DrawFn, section: str) -> dict[str, Any]:
    """Values for some of the booleans, integers and choices of a section, those not offered among them."""
    settings: dict[str, Any] = {}
    usable = [
        one
        for one in fields_of(section)
        if one.kind in ("bool", "int", "choice")
        and not one.refused
        and "auth" not in one.path
        and "cookie" not in one.path
    ]
    for attribute in draw(st.lists(st.sampled_from(usable), unique=True, max_size=6)) if usable else ():
        values: list[Any] = [True, False] if attribute.kind == "bool" else list(attribute.choices)
        if attribute.kind == "int":
            values = [attribute.maximum, attribute.default or attribute.maximum, max(attribute.minimum or 0, 1000)]
            values = [
                one for one in values if one is not None and (attribute.maximum is None or one <= attribute.maximum)
            ]
        if attribute.nullable:
            values.append(None)
        if values:
            put_at(settings, attribute.path, draw(st.sampled_from(values)))
    return settings


@st.composite
def websockets(draw: st.DrawFn) -> dict[str, Any]:
    """WebSocket settings without a type."""
    more = maybe(
        id=identifiers,
        url=st.none(),
        serializers=st.none() | st.lists(st.sampled_from(["json", "msgpack", "cbor", "ubjson", "json"]), min_size=1),
        auth=st.none() | st.just({}) | st.just({"anonymous": None}) | logins,
        cookie=st.none() | st.just({"store": {"type": "memory"}, "length": 30}),
    )
    settings = {**draw(settings_of("websocket")), **draw(more)}
    if draw(st.booleans()):
        settings.setdefault("options", {})["allowed_origins"] = draw(st.lists(st.sampled_from(["*", "https://a.b"])))
    return settings


logins = st.fixed_dictionaries(
    {
        "anonymous": st.fixed_dictionaries(
            {"type": st.just("static")}, optional={"role": st.just("anonymous"), "authid": st.none() | texts}
        )
    }
)


def typed(type: str, settings: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Settings with their type."""
    return settings.map(lambda given: {"type": type, **given})


leaves = st.one_of(
    typed("websocket", websockets()),
    typed("static", st.fixed_dictionaries({"directory": texts}, optional={"options": maybe(mime_types=st.just({}))})),
    typed("json", st.fixed_dictionaries({"value": anything}, optional={"id": identifiers})),
    typed("redirect", st.just({"url": "https://example.com/"})),
    typed("nodeinfo", st.just({})),
    typed("longpoll", st.dictionaries(identifiers, anything, max_size=2)),
)
services = st.recursive(
    leaves,
    lambda inner: typed(
        "path",
        st.fixed_dictionaries(
            {"paths": st.dictionaries(keys | st.just("/"), inner, max_size=3)}, optional={"id": identifiers}
        ),
    ),
    max_leaves=5,
)
endpoint_rest = maybe(
    interface=st.sampled_from(["", "127.0.0.1"]),
    backlog=st.integers(1, 65535),
    version=st.just(4),
    shared=st.booleans(),
    user_timeout=st.none() | st.just(0),
)


@st.composite
def transports(draw: st.DrawFn, position: int) -> dict[str, Any]:
    """A transport with an endpoint of its own."""
    kind = draw(st.sampled_from(["web", "web", "websocket", "rawsocket"]))
    transport: dict[str, Any] = {"type": kind, **draw(maybe(max_connections=st.just(10), id=st.just(f"tra{position}")))}
    if draw(st.booleans()):
        transport["endpoint"] = {"type": "tcp", "port": 9000 + position, **draw(endpoint_rest)}
    elif position or draw(st.booleans()):
        transport["endpoint"] = {"type": "unix", "path": f"run/{position}", **draw(maybe(backlog=st.just(7)))}
    elif draw(st.booleans()):
        transport["endpoint"] = None
    if kind == "web":
        transport["paths"] = draw(st.dictionaries(keys | st.just("/"), services, max_size=4))
        transport.update(draw(maybe(options=settings_of("web options"))))
    elif kind == "websocket":
        transport.update({key: value for key, value in draw(websockets()).items() if key != "id"})
    return transport


flags = st.booleans()
permissions = st.fixed_dictionaries(
    {"uri": uris},
    optional={
        "match": st.none() | st.sampled_from(["exact", "prefix", "wildcard"]),
        "allow": maybe(call=flags, register=flags, publish=flags, subscribe=flags),
        "disclose": maybe(caller=flags, publisher=flags),
        "cache": flags,
    },
)
roles = st.fixed_dictionaries(
    {"name": st.sampled_from(["anonymous", "user", "ü"])},
    optional={
        "permissions": st.none() | st.lists(permissions, max_size=3),
        "allow-by-default": flags,
        "id": identifiers,
    },
)
realms = st.fixed_dictionaries(
    {"name": st.sampled_from(["realm1", "com.example", "abc"])},
    optional={
        "roles": st.lists(roles, max_size=3, unique_by=lambda role: role["name"]),
        "options": settings_of("realm options"),
        "store": anything,
        "id": identifiers,
    },
)


@st.composite
def nodes(draw: st.DrawFn) -> dict[str, Any]:
    """A whole configuration. Most are valid; those that are not say so when they are read."""
    workers: list[dict[str, Any]] = []
    everything = draw(st.lists(realms, max_size=3, unique_by=lambda realm: realm["name"]))
    for position in range(draw(st.integers(0, 3))):
        if draw(st.integers(0, 3)) == 0:
            workers.append({"type": "container", "id": f"worker{position}", "x": draw(anything)})
            continue
        worker: dict[str, Any] = {
            "type": "router",
            **draw(maybe(options=st.just({"title": "x"}), components=st.just([]))),
        }
        if draw(st.booleans()):
            worker["realms"] = [everything.pop() for _ in range(draw(st.integers(0, len(everything))))]
        if draw(st.booleans()):
            worker["transports"] = [
                draw(transports(10 * position + number)) for number in range(draw(st.integers(0, 3)))
            ]
        workers.append(worker)
    rest = maybe(version=st.just(2), controller=st.just({}) | st.just({"id": "x"}), **{"$schema": st.none() | texts})
    return {**draw(rest), **({"workers": workers} if workers or draw(st.booleans()) else {})}
