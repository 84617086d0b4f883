"""What is said of what was found."""

import json.decoder

import pytest
from django.apps import AppConfig

from wamp_transport.handlers import declarations, discovery
from wamp_transport.handlers.declarations import Registry
from wamp_transport.handlers.discovery import BrokenModule, discover, import_modules


@pytest.fixture
def registry(monkeypatch):
    """An empty list of declarations."""
    fresh = Registry()
    for module in (declarations, discovery):
        monkeypatch.setattr(module, "REGISTRY", fresh)
    return fresh


def test_what_is_declared_is_found_with_its_faults(registry):
    declarations.register("com.good")(lambda: None)
    declarations.register("com..bad")(lambda: None)
    found = discover()
    assert [one.declaration.uri for one in found.entries] == ["com.good", "com..bad"]
    assert [one.declaration.uri for one in found.handlers] == ["com.good"]
    (problem,) = found.problems
    assert __name__ in str(problem)
    assert "'com..bad' is not a valid URI" in str(problem)


def test_built_in_function_without_a_signature_is_a_problem(registry):
    declarations.register("com.max")(max)
    (problem,) = discover().problems
    assert "the parameters of the function are unknown" in str(problem)


def test_module_that_is_broken_is_named_with_its_error():
    assert str(BrokenModule("shop.wamp", LookupError("no"))) == "shop.wamp cannot be imported: LookupError: no"


def test_apps_without_a_module_are_left_alone():
    assert import_modules() == []


def test_app_that_is_a_single_module_is_left_alone(monkeypatch):
    app = AppConfig("json.decoder", json.decoder)
    app.path = ""
    monkeypatch.setattr(discovery.apps, "get_app_configs", lambda: [app])
    assert import_modules() == []
