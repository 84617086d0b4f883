"""What belongs together is there: a test file for each module of the core, a protocol file for each feature."""

from pathlib import Path

import pytest

from wamp_transport.wamp.features import BROKER_FEATURES, DEALER_FEATURES

ROOT = Path(__file__).parents[2]
APP = ROOT / "wamp_transport"

PAIRED = (
    "wamp",
    "serializers",
    "router",
    "config",
    "webservices",
    "transports",
    "node",
    "auth",
    "api",
    "handlers",
    "model_events",
)
"""Packages each of whose modules has a unit test file of its own."""

PLAIN = {"router/effects.py", "router/options.py", "serializers/serializer.py", "transports/service.py"}
"""Modules that only declare types."""

MODULES = [
    path.relative_to(APP)
    for package in PAIRED
    for path in sorted((APP / package).rglob("*.py"))
    if path.name != "__init__.py" and str(path.relative_to(APP)) not in PLAIN
]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_module_has_its_test_file(module: Path) -> None:
    assert (ROOT / "tests" / "unit" / module.parent / f"test_{module.name}").is_file()


@pytest.mark.parametrize("feature", sorted({*BROKER_FEATURES, *DEALER_FEATURES}))
def test_announced_feature_has_its_protocol_file(feature: str) -> None:
    assert (ROOT / "tests" / "protocol" / f"test_{feature}.py").is_file()
