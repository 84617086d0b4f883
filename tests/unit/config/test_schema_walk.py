from typing import Annotated, Any, Literal

from pydantic import Field

from wamp_transport.config.endpoint import Endpoint, OtherEndpoint, TcpEndpoint, UnixEndpoint
from wamp_transport.config.node import Node, RouterWorker
from wamp_transport.config.paths import PathTree, Service
from wamp_transport.config.realm import RealmSection
from wamp_transport.config.schema_walk import (
    attributes,
    bare,
    choose,
    is_nullable,
    item_type,
    place_at,
    sections_in,
    sections_of,
    types_of,
)
from wamp_transport.config.transport import WebTransport
from wamp_transport.config.websocket import WebSocketOptions, WebSocketService


def test_bare_type_has_no_wrapping():
    assert bare(Annotated[int, Field(ge=1)] | None) is int
    assert bare(str) is str


def test_null_is_a_value_of_optional_types_and_any():
    assert is_nullable(int | None)
    assert is_nullable(Annotated[int | None, 1])
    assert is_nullable(Any)
    assert not is_nullable(int)
    assert not is_nullable(Endpoint)


def test_sections_to_choose_from_are_known():
    assert sections_of(Endpoint | None) == (TcpEndpoint, UnixEndpoint, OtherEndpoint)
    assert sections_of(Node) == (Node,)
    assert sections_of(tuple[Node, ...]) == sections_of(int | str) == sections_of(Any) == ()


def test_section_is_chosen_by_its_type():
    sections = sections_of(Endpoint)
    assert choose(sections, "unix") is UnixEndpoint
    assert choose(sections, "onion") is OtherEndpoint
    assert choose(sections, "x") is choose(sections, ["tcp"]) is choose(sections, None) is None
    assert choose((Node,), None) is Node
    assert types_of(OtherEndpoint) == ("twisted", "onion")
    assert types_of(Node) == ()


def test_item_types_are_known():
    assert item_type(tuple[int, ...] | None) is int
    assert item_type(dict[str, bool]) is bool
    assert item_type(Literal[1]) is None


def test_attributes_go_by_their_keys():
    assert "$schema" in dict(attributes(Node))


def test_sections_are_met_outermost_first():
    data = {
        "workers": (
            {"type": "router", "realms": ({"name": "a"},), "transports": ({"type": "web", "paths": {"ws": {}}},)},
            {"type": "nobody"},
            5,
        )
    }
    met = [(found.section, found.location) for found in sections_in(Node, data)]
    assert met == [
        (Node, ()),
        (RouterWorker, ("workers", 0)),
        (RealmSection, ("workers", 0, "realms", 0)),
        (WebTransport, ("workers", 0, "transports", 0)),
    ]


def test_data_of_another_shape_meets_nothing():
    assert list(sections_in(Node, 5)) == list(sections_in(tuple[Node, ...], {"a": 1})) == []
    assert list(sections_in(int, 5)) == list(sections_in(dict[str, Node], 7)) == []


def test_place_drops_the_tags_of_choices():
    place = place_at(Service, ("path", "paths", "websocket", "websocket", "options", "max_frame_size"))
    assert place.location == ("paths", "websocket", "options", "max_frame_size")
    assert place.section is WebSocketOptions
    assert place.field is WebSocketOptions.model_fields["max_frame_size"]


def test_place_of_an_unknown_key_has_no_field():
    place = place_at(WebSocketService, ("nope",))
    assert (place.location, place.section, place.field) == (("nope",), WebSocketService, None)


def test_place_of_a_key_is_that_of_its_value():
    assert place_at(PathTree, ("paths", "a/b", "[key]")).location == ("paths", "a/b")
