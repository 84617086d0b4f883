"""Fuzzing of one decoder guided by coverage: ``python -m tests.fuzz.guided SERIALIZER SECONDS``. Needs atheris."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["wamp_transport.serializers", "wamp_transport.wamp"]):
    from . import targets
    from .corpus import seeds


def main(name: str, seconds: int) -> None:
    """Does not return: libFuzzer ends the process, with the bytes at fault in a file if there are any."""
    with tempfile.TemporaryDirectory() as directory:
        for number, data in enumerate(seeds(name)):
            (Path(directory) / str(number)).write_bytes(data)
        options = [f"-max_total_time={seconds}", "-max_len=4096", "-verbosity=0", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, directory], lambda data: targets.decode(name, data) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
