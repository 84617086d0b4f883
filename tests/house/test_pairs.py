"""Each module has a test file, and each announced feature has a protocol test file."""

from pathlib import Path

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
    "cluster",
    "api",
    "handlers",
    "model_events",
)
"""Packages in which each module has a test file."""

SMALL = 60
"""Modules with fewer lines are tested with the modules that use them."""

PLAIN = {
    "cluster/ledger/operations.py",
    "cluster/link_events.py",
    "node/membership.py",
    "router/effects.py",
    "router/options.py",
    "serializers/serializer.py",
    "transports/service.py",
}
"""Modules that only declare types."""


def lines(path: Path) -> int:
    return path.read_text().count("\n")


MODULES = [
    path.relative_to(APP)
    for package in PAIRED
    for path in sorted((APP / package).rglob("*.py"))
    if path.name != "__init__.py" and str(path.relative_to(APP)) not in PLAIN and lines(path) >= SMALL
]


def places_of_tests(module: Path) -> list[Path]:
    """Return the possible paths of a module's test file. For the router, a protocol test file is accepted too."""
    name = f"test_{module.name}"
    places = [ROOT / "tests" / "unit" / module.parent / name]
    if module.parts[0] == "router":
        places.append(ROOT / "tests" / "protocol" / name)
    return places


def test_modules_have_their_test_files() -> None:
    assert [str(module) for module in MODULES if not any(place.is_file() for place in places_of_tests(module))] == []


def test_announced_features_have_their_protocol_files() -> None:
    features = {*BROKER_FEATURES, *DEALER_FEATURES}
    assert {name for name in features if not (ROOT / "tests" / "protocol" / f"test_{name}.py").is_file()} == set()
