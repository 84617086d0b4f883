"""What a node that is killed leaves in its database."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .servers import configuration, free_port, migrate, node, realm, web
from .wire import joined

pytestmark = [pytest.mark.integration, pytest.mark.long]

TOPIC = "com.shop.sold"


@pytest.mark.parametrize("before", [1, 100], ids=["immediately", "later"])
def test_acknowledged_publication_of_a_synced_history_is_in_the_database(tmp_path: Path, before: int) -> None:
    """Send many publications, and kill the node after the first answers: all that were answered are stored."""
    port = free_port()
    store = {"type": "database", "sync": True, "limit": 1000, "event-history": [{"uri": TOPIC}]}
    migrate(tmp_path / "db.sqlite3")
    realms = [{**realm("realm1", publish=True), "store": store}]
    acknowledged = []
    with node(tmp_path, configuration(web(port), realms=realms), port) as process, joined(port) as wire:
        wire.send_json(*([16, number, {"acknowledge": True}, TOPIC, [number]] for number in range(1, 501)))
        acknowledged.extend(wire.message() for _ in range(before))
        process.kill()
        try:
            while True:  # answers that were sent before it was killed
                acknowledged.append(wire.message())
        except (EOFError, ConnectionError):
            pass
    assert {answer[0] for answer in acknowledged} == {17}
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as database:
        stored = {row[0] for row in database.execute("SELECT publication FROM wamp_transport_storedevent")}
    assert {answer[2] for answer in acknowledged} <= stored
