"""The applications that handle requests at the configured paths."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from .. import __version__
from ..config.configuration import Configuration, PathService, is_same_service, service_options
from ..config.webservices import JsonService, RedirectService, StaticService
from ..config.websocket import WebSocketSection
from ..node.node import Node
from ..transports.consumer import WampConsumer
from ..transports.cookies import CookieTracker
from ..transports.service import WampService
from ..webservices.json_value import JsonValue
from ..webservices.nodeinfo import NodeInfo
from ..webservices.not_found import NotFound
from ..webservices.paths import PathTable
from ..webservices.redirect import Redirect
from ..webservices.static import StaticDirectoryError, StaticFiles
from ..webservices.websocket_status import WebSocketStatus
from .cookies import CookieStores
from .plan import ConfigurationPart

logger = logging.getLogger(__name__)

MAIN_LISTENER: Final = "main"
"""The key of the listener whose address is set on the command line. It serves the first transport."""

Application = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Mount:
    """The applications that serve a path: one for HTTP and, at the path of a WAMP service, one for WebSocket."""

    service: PathService
    http: Application
    websocket: Application | None = None
    cookies: CookieTracker | None = None


@dataclass(frozen=True, slots=True)
class MountTable:
    """The mounts of one configuration. They can be looked up by service key, or by transport and path.

    ``failures`` contains the errors of services that could not be built. Requests for the paths of these services get a
    404 response.
    """

    base: object = None
    by_key: Mapping[str, Mount] = field(default_factory=dict)
    failures: Mapping[str, Exception] = field(default_factory=dict)
    transports: Mapping[str, PathTable[Mount]] = field(default_factory=dict)

    def resolve(self, transport: str, path: str, prefix: tuple[str, ...] = ()) -> tuple[Mount, tuple[str, ...]] | None:
        """Return the mount for a path and the remaining path segments; None if there is no mount.

        ``prefix`` is the path prefix of the site. ``path`` may, but need not, begin with it.
        """
        first = next(iter(self.transports.values()), None)
        table = first if transport == MAIN_LISTENER else self.transports.get(transport)
        return None if table is None else table.resolve(path, prefix)


class Mounts(ConfigurationPart):
    """The part of a node that mounts services at their paths. Unchanged services keep their applications."""

    name = "paths"

    def __init__(self, node: Node, cookies: CookieStores) -> None:
        self._node = node
        self._cookies = cookies
        self._prepared = MountTable()
        self.table = MountTable()

    @property
    def by_key(self) -> Mapping[str, Mount]:
        """The mounts, by service key."""
        return self.table.by_key

    async def prepare(self, new: Configuration) -> None:
        """Build the applications of new and changed services. This runs in a thread, because it reads directories."""
        self._prepared = await asyncio.to_thread(self._build, new)

    async def apply(self, new: Configuration, applied: Configuration | None) -> None:
        """Replace all mounts in one step, so that no request is handled with some old and some new mounts.

        The paths of services that could not be built return 404 until a retry succeeds. Raises the first error of these
        services.
        """
        self.table = self._prepared
        self._cookies.use({key: one.cookies for key, one in self.by_key.items() if one.cookies is not None})
        for error in self.table.failures.values():
            raise error

    def _build(self, new: Configuration) -> MountTable:
        base = new.base_dir, new.source
        reusable = self.table.by_key if base == self.table.base else {}
        mounts: dict[str, Mount] = {}
        failures: dict[str, Exception] = {}
        for service in new.services:
            before = reusable.get(service.key)
            has_failed = service.key in self.table.failures
            if before is not None and not has_failed and is_same_service(before.service, service):
                mounts[service.key] = before
                continue
            try:
                mounts[service.key] = mount(service, new, self._node, self._cookies)
            except Exception as error:  # noqa: BLE001 - one failure must not leave the other paths outdated
                failures[service.key] = error
                mounts[service.key] = Mount(service, NotFound())
        transports = {
            one.key: PathTable((service.segments, mounts[service.key]) for service in one.paths)
            for one in new.transports
        }
        return MountTable(base, mounts, failures, transports)


def mount(service: PathService, configuration: Configuration, node: Node, cookies: CookieStores) -> Mount:
    """Build the mount of a service. Call it in a thread, because it can read directories.

    If the directory of static files is missing, the path returns 404. If the files cannot be served for another reason,
    or if an option is invalid, the path also returns 404, and the reason is logged. Other exceptions are not caught.
    """
    config = service.settings
    if isinstance(config, WebSocketSection):
        tracker = cookies.tracker(service, configuration)
        wamp = WampService.build(node, service_options(service), config, tracker)
        status = WebSocketStatus(wamp.terms.serializers, is_shown=config.options.enable_webstatus, url=config.url)
        return Mount(service, status, WampConsumer.as_asgi(service=wamp), tracker)
    try:
        return Mount(service, _http(service, config, configuration))
    except (StaticDirectoryError, ValueError, TypeError) as error:
        logger.error("The service at %s answers 404: %s", service.path, error)
        return Mount(service, NotFound())


def _http(service: PathService, config: Any, configuration: Configuration) -> Application:
    if isinstance(config, StaticService):
        return _static(config, configuration)
    if isinstance(config, JsonService):
        return JsonValue(
            config.value,
            prettify=config.options.prettify,
            allow_cross_origin=config.options.allow_cross_origin,
            discourage_caching=config.options.discourage_caching,
        )
    if isinstance(config, RedirectService):
        return Redirect(config.url)
    if service.type == "nodeinfo":
        return NodeInfo("wampnode", __version__)
    return NotFound()


def _static(config: StaticService, configuration: Configuration) -> Application:
    directory = _directory(config, configuration)
    if directory is None or not directory.is_dir():
        return NotFound()
    options = config.options
    return StaticFiles(
        directory,
        autorefresh=settings.DEBUG,
        cache_timeout=options.cache_timeout,
        mime_types=options.mime_types,
        default_file=options.default_file,
        allow_cross_origin=options.allow_cross_origin,
        # The configuration file, which contains secrets, can be in this directory.
        excluded=[configuration.source] if Path(configuration.source).is_file() else [],
    )


def _directory(config: StaticService, configuration: Configuration) -> Path | None:
    if config.directory is not None:
        return configuration.resolve(config.directory)
    try:
        return Path(str(files(config.package or "").joinpath(config.resource or "")))
    except (ModuleNotFoundError, TypeError, ValueError):
        return None
