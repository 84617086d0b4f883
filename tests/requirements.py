"""Programs that some tests need: find them, and skip or fail the test if they are missing."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

JAVASCRIPT = Path(__file__).parent / "js"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def missing(what: str) -> NoReturn:
    """Fail the test in CI, where everything must run, or skip it elsewhere. ``what`` is the message."""
    if os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def program(*names: str) -> str:
    """Return the path of the first of these programs that is installed."""
    for name in names:
        if path := shutil.which(name):
            return path
    missing(f"{' or '.join(names)} is not installed")


def node() -> str:
    """Return the path of Node.js."""
    return program("node", "nodejs")


def chromium() -> str:
    """Return the path of Chromium."""
    return program(*CHROMIUM_NAMES)


def postgresql_programs() -> Path:
    """Return the directory of PostgreSQL's server programs. If several versions are installed, return the newest."""
    if path := shutil.which("postgres"):
        return Path(path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    if not found:
        missing("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return found[-1].parent


def redis_server() -> str:
    """Return the path of the Redis server. The environment variable ``WAMP_REDIS_SERVER`` selects another program."""
    return os.environ.get("WAMP_REDIS_SERVER") or program("redis-server", "valkey-server")


def javascript_packages(*names: str) -> Path:
    """Return the directory in which npm has installed the packages: all client libraries, or only ``names``."""
    packages = JAVASCRIPT / "node_modules"
    for name in names or ("autobahn", "autobahn-browser", "wampy", "ws"):
        if not (packages / name / "package.json").exists():
            missing(f"the package {name} is not installed: run 'npm install' in tests/js")
    return packages
