"""What a node keeps in the database, and the test tools, on PostgreSQL; see ``make test-postgresql``.

The tests are those of ``tests/django``.
"""

import subprocess
import sys

import pytest

from ..postgresql import running_cluster
from .servers import ROOT, environment_of

pytestmark = pytest.mark.integration

CHOSEN = [
    f"tests/django/test_{name}.py"
    for name in (
        "audit_trail",
        "live_identities",
        "stores_changes",
        "stores_configuration",
        "stores_cookies",
        "stores_history",
        "stores_nodes",
        "stores_principals",
        "testing",
        "testing_cases",
        "testing_live",
    )
]
LEFT_OUT = "not memory and not file and not line and not any_valid"
"""Stores that are not the database, and what takes long."""


def test_stores_pass_their_tests_on_postgresql() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", LEFT_OUT, *CHOSEN]
    with running_cluster() as cluster:
        environment = environment_of(DJANGO_SETTINGS_MODULE="tests.settings", **cluster.create("stores"))
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
