"""Find the installed versions of Python, and make a virtual environment for each combination of versions."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from .combinations import LOWEST, NEWEST, ROOT, Combination, lowest_versions

VERSION = "import platform; print(platform.python_version())"
INSTALLED = (
    "import importlib.metadata as m, json, sys; print(json.dumps({each: m.version(each) for each in sys.argv[1:]}))"
)


def interpreter(python: str) -> Path | None:
    """Return the interpreter of a version such as ``3.12``, from the system or pyenv, or None if it is absent."""
    for path in _candidates(python):
        # Pyenv's shims exist for versions that are not selected. They fail.
        done = subprocess.run([path, "-c", VERSION], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.startswith(f"{python}."):
            return path
    return None


def prepare(combination: Combination, python: Path) -> Path:
    """Return the interpreter of the virtual environment for a combination. Make the environment if it is outdated.

    The newest versions are looked up once a day. Only wheels are installed, because a missing compiler is not a fault
    of this project. Raises CalledProcessError if pip cannot install a version.
    """
    directory = ROOT / f".venv-matrix-{combination.environment}"
    constraints = _constraints(combination)
    today = datetime.now(UTC).date().isoformat() if combination.dependencies == NEWEST else ""
    text = "\n".join([str(python), today, *constraints, (ROOT / "pyproject.toml").read_text()])
    stamp, wanted = directory / ".installed", hashlib.sha256(text.encode()).hexdigest()
    binary = directory / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted:
        return binary
    print(f"Installing into {directory.name} ...", flush=True)
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run([python, "-m", "venv", directory], check=True)
    file = directory / "constraints.txt"
    file.write_text("\n".join(constraints) + "\n")
    pip = [binary, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--only-binary", ":all:"]
    subprocess.run([*pip, "--constraint", file, "--editable", ".[test]"], cwd=ROOT, check=True)
    stamp.write_text(wanted)
    return binary


def installed_versions(binary: Path) -> dict[str, str]:
    """Return the versions of Python and the dependencies in a virtual environment."""
    output = subprocess.run([binary, "-c", INSTALLED, *lowest_versions()], capture_output=True, text=True, check=True)
    version = subprocess.run([binary, "-c", VERSION], capture_output=True, text=True, check=True)
    versions: dict[str, str] = json.loads(output.stdout)
    return {"Python": version.stdout.strip(), **versions}


def _candidates(python: str) -> Iterator[Path]:
    if sys.version.startswith(f"{python}."):
        yield Path(sys.executable)
    if path := shutil.which(f"python{python}"):
        yield Path(path)
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob(f"versions/{python}.*/bin/python"), reverse=True)


def _constraints(combination: Combination) -> list[str]:
    """Return the lines of the constraints file of pip."""
    if combination.dependencies == LOWEST:
        return [f"{name}=={version}" for name, version in lowest_versions().items()]
    return [] if combination.django == NEWEST else [f"Django=={combination.django}.*"]
