"""From a configured path service to the applications that answer there."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from django.conf import settings

from .. import __version__
from ..config.configuration import Configuration, PathService, service_options
from ..config.webservices import JsonService, RedirectService, StaticService
from ..config.websocket import WebSocketSection
from ..node.node import Node
from ..transports.consumer import WampConsumer
from ..transports.service import WampService
from ..webservices.json_value import JsonValue
from ..webservices.nodeinfo import NodeInfo
from ..webservices.not_found import NotFound
from ..webservices.redirect import Redirect
from ..webservices.static import StaticDirectoryError, StaticFiles
from ..webservices.websocket_status import WebSocketStatus
from .cookies import CookieStores

logger = logging.getLogger(__name__)

Application = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Mount:
    """What answers at a path: an HTTP application, and for WAMP services a WebSocket one."""

    service: PathService
    http: Application
    websocket: Application | None = None


def mount(service: PathService, configuration: Configuration, node: Node, cookies: CookieStores) -> Mount:
    """Make what answers at a path. Reads directories: call it in a thread.

    A service that cannot be made (a directory that is missing, say) answers 404; why is logged.
    """
    config = service.settings
    if isinstance(config, WebSocketSection):
        wamp = WampService.build(node, service_options(service), config, cookies.tracker(service, configuration))
        status = WebSocketStatus(wamp.terms.serializers, is_shown=config.options.enable_webstatus, url=config.url)
        return Mount(service, status, WampConsumer.as_asgi(service=wamp))
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
        # The configuration may hold secrets, wherever it lies.
        excluded=[configuration.source] if Path(configuration.source).is_file() else [],
    )


def _directory(config: StaticService, configuration: Configuration) -> Path | None:
    if config.directory is not None:
        return configuration.resolve(config.directory)
    try:
        return Path(str(files(config.package or "").joinpath(config.resource or "")))
    except (ModuleNotFoundError, TypeError, ValueError):
        return None
