"""The modules for browsers are collected with hashed names as a project's own are."""

from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import override_settings
from whitenoise.storage import CompressedManifestStaticFilesStorage

pytestmark = pytest.mark.long


class ModuleStorage(CompressedManifestStaticFilesStorage):
    """The storage of docs/live-pages.md."""

    support_js_module_import_aggregation = True


def collected(directory: Path, only_hashed: bool) -> Path:
    """Where ``collectstatic`` has put the client."""
    storages = {"staticfiles": {"BACKEND": f"{__name__}.ModuleStorage"}}
    with override_settings(
        STATIC_ROOT=directory, STORAGES=storages, WHITENOISE_KEEP_ONLY_HASHED_FILES=only_hashed, DEBUG=False
    ):
        call_command("collectstatic", interactive=False, verbosity=0)
        return directory / staticfiles_storage.stored_name("wamp_transport/connection.js")


@pytest.mark.parametrize("only_hashed", [False, True])
def test_a_module_imports_the_hashed_name_of_the_other(tmp_path: Path, only_hashed: bool) -> None:
    connection = collected(tmp_path, only_hashed)
    assert connection.name != "connection.js"
    (line,) = [line for line in connection.read_text().splitlines() if line.startswith("import")]
    imported = line.split('"./')[1].rstrip('";')
    assert imported != "wamp.js"
    assert (connection.parent / imported).is_file()
    assert (connection.parent / "wamp.js").exists() is not only_hashed
