"""The decorators: what they note, and what they find at fault."""

import pytest

from wamp_transport.handlers import declarations
from wamp_transport.handlers.declarations import Registry, register, subscribe


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    fresh = Registry()
    monkeypatch.setattr(declarations, "REGISTRY", fresh)
    return fresh


def said(registry):
    return [(one.kind, one.uri, one.name.rpartition("<locals>.")[2]) for one in registry.declarations]


def test_function_stays_what_it_was_and_is_noted(registry):
    def price(sku):
        return sku

    assert (
        register("com.shop.price", invoke="roundrobin", concurrency=3, permission="shop.view", realm="a")(price)
        is price
    )
    (one,) = registry.declarations
    assert (one.kind, one.uri, one.function, one.owner) == ("procedure", "com.shop.price", price, None)
    assert (one.match, one.invoke, one.concurrency) == ("exact", "roundrobin", 3)
    assert (one.permissions, one.realms) == (("shop.view",), ("a",))
    assert one.where.startswith(__file__)
    assert one.faults() == []


def test_methods_are_noted_with_their_class(registry):
    class Shop:
        @register("com.shop.price")
        @subscribe("com.shop.asked")
        def price(self): ...

        @register("com.shop.free")
        @staticmethod
        def free(): ...

    assert Shop.price.__name__ == "price"
    assert Shop.free() is None
    assert said(registry) == [
        ("subscriber", "com.shop.asked", "Shop.price"),
        ("procedure", "com.shop.price", "Shop.price"),
        ("procedure", "com.shop.free", "Shop.free"),
    ]
    assert {(one.owner, one.attribute) for one in registry.declarations} == {(Shop, "price"), (Shop, "free")}


def test_public_methods_of_a_class_are_noted(registry):
    @register("com.shop", permission=["a.b", "c.d"])
    class Shop:
        number = 3

        def price(self): ...

        async def stock(self): ...

        def _private(self): ...

    assert said(registry) == [
        ("procedure", "com.shop.price", "Shop.price"),
        ("procedure", "com.shop.stock", "Shop.stock"),
    ]
    assert Shop.number == 3


def test_module_imported_again_replaces_what_it_declared(registry):
    for _ in range(2):

        @register("com.a")
        def a(): ...

    assert len(registry.declarations) == 1


@pytest.mark.parametrize(("declare", "fault"), [
    (lambda: register("com..a"), "not a valid URI"),
    (lambda: register("com.a b", match="prefix"), "for match='prefix'"),
    (lambda: register("wamp.session.count"), "is reserved for the router"),
    (lambda: register("com.a", match="regex"), "match is 'regex'"),
    (lambda: register("com.a", invoke="all"), "invoke is 'all'"),
    (lambda: register("com.a", concurrency=0), "concurrency is 0"),
    (lambda: subscribe("com.a", concurrency="many"), "concurrency is 'many'"),
    (lambda: subscribe("com.a", each_node="yes"), "each_node is 'yes', not True or False"),
    (lambda: register("com.a", permission="view"), "permission 'view'"),
])  # fmt: skip
def test_faults_of_arguments_are_told(registry, declare, fault):
    @declare()
    def a(): ...

    (said,) = registry.declarations[0].faults()
    assert fault in said


@pytest.mark.parametrize(
    ("uri", "match"), [("com.a.", "prefix"), ("com..a", "wildcard"), ("wamp.session.on_join", "exact")]
)
def test_patterns_and_meta_events_are_heard(registry, uri, match):
    subscribe(uri, match=match)(lambda: None)
    assert registry.declarations[0].faults() == []


def test_pattern_with_too_many_components_is_a_fault(registry):
    subscribe("." * 64, match="wildcard")(lambda: None)
    subscribe("." * 63, match="wildcard")(lambda: None)
    many, few = registry.declarations
    assert many.faults() == ["a pattern may have at most 64 components, not 65"]
    assert few.faults() == []
