"""Write text files atomically."""

import os
import shutil
import tempfile
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError


def write(command: BaseCommand, target: str | None, text: str) -> None:
    """Write ``text`` to the file ``target``, or to standard output if ``target`` is None or ``-``.

    An existing file is replaced atomically. Raises CommandError if the file cannot be written.
    """
    if target in (None, "-"):
        command.stdout.write(text, ending="" if text.endswith("\n") else "\n")
        return
    path = Path(str(target))
    try:
        _replace(path, text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}") from None
    command.stderr.write(f"Written to {path}")


def _replace(path: Path, text: str) -> None:
    path = path.resolve()
    if path.is_dir():
        raise IsADirectoryError(0, "it is a directory")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            shutil.copymode(path, name)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
