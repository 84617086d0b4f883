"""The wheel can be built, and it works when it is installed in an empty project."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from websockets.sync.client import connect

from ..integration.servers import free_port, running

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.long, pytest.mark.full]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    # The build backend is one of the test dependencies, so nothing is downloaded here.
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (built,) = target.glob("*.whl")
    return built


def test_wheel_holds_the_app_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"wamp_transport"}
    assert "wamp_transport/py.typed" in names
    scripts = {str(path.relative_to(ROOT)) for path in (ROOT / "wamp_transport").rglob("*.lua")}
    assert scripts
    assert scripts <= set(names)
    assert any(name.startswith("wamp_transport/migrations/0001") for name in names)
    (entry_points,) = (name for name in names if name.endswith("/entry_points.txt"))
    plugin = "wamp_transport.testing.pytest_plugin"
    assert f"[pytest11]\n{plugin} = {plugin}" in zipfile.ZipFile(wheel).read(entry_points).decode()


def test_installed_wheel_has_fixtures_for_pytest(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    apps = ["wamp_transport", "daphne", "django.contrib.contenttypes", "django.contrib.auth"]
    (tmp_path / "project_settings.py").write_text(f'SECRET_KEY = "x"\nINSTALLED_APPS = {apps}\n')
    (tmp_path / "test_it.py").write_text(
        "from wamp_transport import api\n"
        "def test_it(wamp_client, wamp_recording):\n"
        "    api.publish('com.x', 1)\n"
        "    wamp_recording.assert_published('com.x', [1])\n"
        f"    assert api.__file__.startswith({str(site)!r})\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{site}{os.pathsep}{tmp_path}",
        "DJANGO_SETTINGS_MODULE": "project_settings",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:django"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "1 passed" in result.stdout, result.stdout + result.stderr


def test_wheel_in_an_empty_project_serves_wamp(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{site}{os.pathsep}{tmp_path}",
        "DJANGO_SETTINGS_MODULE": "shop.settings",
    }

    def django(*arguments: str) -> str:
        command = [sys.executable, "-W", "error", "-m", "django", *arguments]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    environment.pop("DJANGO_SETTINGS_MODULE")
    django("startproject", "shop", ".")
    settings = tmp_path / "shop" / "settings.py"
    text = settings.read_text()
    settings.write_text(text.replace("INSTALLED_APPS = [", "INSTALLED_APPS = [\n    'wamp_transport',\n    'daphne',"))
    environment["DJANGO_SETTINGS_MODULE"] = "shop.settings"
    assert "wamp_transport.E" not in django("check")
    django("migrate", "--verbosity", "0")
    assert str(site) in django("shell", "-v", "0", "-c", "import wamp_transport; print(wamp_transport.__file__)")

    port = free_port()
    command = [sys.executable, "-m", "django", "runserver", "--noreload", str(port)]
    with running(command, tmp_path, cwd=tmp_path, **environment) as process:
        process.wait_for(port)
        with connect(f"ws://127.0.0.1:{port}/ws", subprotocols=["wamp.2.json"]) as client:  # type: ignore[list-item]
            client.send('[1,"realm1",{"roles":{"caller":{}}}]')
            assert client.recv(timeout=20).startswith("[2,")
        assert process.stop() == 0, process.output
