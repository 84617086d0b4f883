"""Cookie stores of a process: shared where services name the same place, closed when none does."""

import asyncio
import logging
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import pytest

from wamp_transport.bootstrap.cookies import CookieStores
from wamp_transport.config.configuration import Configuration
from wamp_transport.config.reader import read_mapping
from wamp_transport.stores.cookies.file import FileCookies


def configured(directory: Path, **stores: dict[str, Any] | None) -> Configuration:
    paths = {
        name: {"type": "websocket", "cookie": None if store is None else {"store": store}}
        for name, store in stores.items()
    }
    worker = {"type": "router", "transports": [{"type": "web", "paths": paths}]}
    return read_mapping({"version": 2, "workers": [worker]}, directory)


def opened(stores: CookieStores, configuration: Configuration) -> dict[str, Any]:
    """The trackers of a configuration, by path; from now on they are used."""
    found = {service: stores.tracker(service, configuration) for service in configuration.services}
    stores.use({service.key: tracker for service, tracker in found.items() if tracker is not None})
    return {service.path: tracker for service, tracker in found.items()}


def test_services_share_a_file_and_have_memory_of_their_own(tmp_path: Path) -> None:
    file, memory = {"type": "file", "filename": "c.txt"}, {"type": "memory"}
    stores = CookieStores()
    found = opened(stores, configured(tmp_path, a=file, b=file, c=memory, d=memory, e=None))
    assert found["/e"] is None
    assert found["/a"].store is found["/b"].store
    assert len({id(found[path].store) for path in ("/a", "/c", "/d")}) == 3
    stores.close()


def test_file_is_let_go_when_no_service_names_it_any_more(tmp_path: Path) -> None:
    async def scenario() -> None:
        stores = CookieStores()
        both = configured(tmp_path, a={"type": "file", "filename": "c.txt"}, b={"type": "memory"})
        opened(stores, both)
        await stores.apply(both, None)
        assert (tmp_path / "c.txt").exists()
        assert len(stores.trackers) == 2
        less = configured(tmp_path, b={"type": "memory"})
        opened(stores, less)
        await stores.apply(less, both)
        assert [tracker for key, tracker in stores.trackers.items() if key.endswith("/a")] == []
        await asyncio.wait_for(asyncio.to_thread(_wait_for_lock, tmp_path / "c.txt.lock"), 10)
        other = FileCookies(tmp_path / "c.txt", 5)
        other.find("x", datetime.now(UTC))
        other.close()
        stores.close()

    asyncio.run(scenario())


def _wait_for_lock(path: Path) -> None:
    """Return when nobody else has the file, and let it go again."""
    with path.open("rb") as file:
        flock(file, LOCK_EX)


@pytest.mark.expects_errors("Purging a cookie store failed: line 1 of the cookie file")
def test_store_that_fails_at_the_start_is_told_once(tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "c.txt").write_text("something else\n")

    async def scenario() -> None:
        stores = CookieStores()
        configuration = configured(tmp_path, a={"type": "file", "filename": "c.txt"})
        opened(stores, configuration)
        await stores.apply(configuration, None)
        await stores.purge()
        (tmp_path / "c.txt").unlink()
        await stores.purge()
        stores.close()

    with caplog.at_level(logging.ERROR):
        asyncio.run(scenario())
    (record,) = caplog.records
    assert "is not a record of a cookie" in record.getMessage()


def files_in(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def test_store_of_a_configuration_that_is_refused_is_not_opened(tmp_path: Path) -> None:
    async def scenario() -> None:
        stores = CookieStores()
        memory = configured(tmp_path, a={"type": "memory"})
        opened(stores, memory)
        await stores.apply(memory, None)
        refused = configured(tmp_path, a={"type": "file", "filename": "c.txt"})
        stores.tracker(refused.services[0], refused)
        await stores.purge()
        assert files_in(tmp_path) == []
        opened(stores, memory)
        await stores.purge()
        assert files_in(tmp_path) == []
        stores.close()

    asyncio.run(scenario())
