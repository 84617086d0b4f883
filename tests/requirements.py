"""Programs that some tests need: where they are, and what happens where they are missing."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

JAVASCRIPT = Path(__file__).parent / "js"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def missing(what: str) -> NoReturn:
    """Fail in CI, where everything must run; elsewhere skip and say what is missing."""
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def program(*names: str) -> str:
    """The path of the first of these programs that is installed."""
    for name in names:
        if path := shutil.which(name):
            return path
    missing(f"{' or '.join(names)} is not installed")


def node() -> str:
    """The path of Node.js."""
    return program("node", "nodejs")


def chromium() -> str:
    """The path of Chromium."""
    return program(*CHROMIUM_NAMES)


def postgresql_programs() -> Path:
    """The directory of PostgreSQL's server programs, of the newest version that is installed."""
    if path := shutil.which("postgres"):
        return Path(path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if not found:
        missing("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return found[-1].parent


def redis_server() -> str:
    """The path of the Redis server."""
    return program("redis-server", "valkey-server")


def javascript_packages(*names: str) -> Path:
    """Return where npm has put the packages of ``tests/js/package.json``: the client libraries, or those named."""
    packages = JAVASCRIPT / "node_modules"
    for name in names or ("autobahn", "autobahn-browser", "wampy", "ws"):
        if not (packages / name / "package.json").exists():
            missing(f"the package {name} is not installed: run 'npm install' in tests/js")
    return packages
