"""A process with one member of a cluster: ``python -m tests.integration.cluster_process URL LEASE``.

It publishes all the time, and prints lines with JSON: the ids of the events that it has received, and how it ends.
"""

import asyncio
import json
import sys

from ..cluster_members import Node, until


async def main(url: str, lease: float) -> None:
    node = Node(url, lease=lease)
    node.member.start()
    await node.member.wait_joined()
    await until(lambda: node.open, "another node")
    while not node.is_removed:
        node.publish()
        received = next(iter(node.received.values()), [])
        is_ordered = received == list(range(1, len(received) + 1))
        report = {"name": node.name, "received": len(received), "is_ordered": is_ordered, "lost": node.lost}
        print(json.dumps(report), flush=True)
        await asyncio.sleep(0.02)
    print(json.dumps({"is_removed": True}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
