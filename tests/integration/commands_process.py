"""Runs commands of the project, each in a process of its own, that is forked off one which has imported Django already.

A command is asked for by a line of JSON on standard input: ``argv``, and the paths of its three standard streams. The
answer is a line with its exit code.
"""

import json
import os
import sys

import django
from django.core.management import execute_from_command_line, load_command_class

FLAGS = (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)


def main() -> None:
    """Serve until standard input ends."""
    django.setup()
    load_command_class("wamp_transport", "wamp")
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            for number, path in enumerate(asked["streams"]):
                os.dup2(os.open(path, FLAGS[number]), number)
            sys.stdin = os.fdopen(0, closefd=False)
            execute_from_command_line(["manage.py", *asked["argv"]])
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
