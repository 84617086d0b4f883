"""Run the load generator: ``python -m benchmarks.wampload rpc --url ws://127.0.0.1:8080/ws``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
