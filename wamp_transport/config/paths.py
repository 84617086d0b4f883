"""The ``paths`` of a web transport: services of all types, and nested paths."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from wamp_transport.config.report import Location
from wamp_transport.config.section import Section, Unoffered, identifier, setting
from wamp_transport.config.webservices import JsonService, NodeInfoService, RedirectService, StaticService
from wamp_transport.config.websocket import WebSocketService

PATH_KEY = r"^([a-zA-Z0-9_\-]+|/)$"

Key = Annotated[str, Field(pattern=PATH_KEY)]


class PathTree(Section):
    """A branch of the URL tree, with services at this path and at paths below it."""

    type: Literal["path"] = setting(..., 'Must be "path".')
    id: str | None = identifier()
    paths: dict[Key, "Service"] = setting(
        ..., 'Services by path segment (letters, digits, _ and -). The key "/" means the path itself.'
    )


class OtherService(Section, extra="allow"):
    """A service of a type that Crossbar supports and this router does not. Requests for its path get a 404 response."""

    type: Literal[
        "longpoll",
        "archive",
        "wsgi",
        "resource",
        "cgi",
        "wap",
        "reverseproxy",
        "websocket-reverseproxy",
        "publisher",
        "caller",
        "webhook",
        "catalog",
        "pairme",
        "upload",
    ] = setting(..., "A type of service that is not offered yet.")
    unoffered: ClassVar[Unoffered | None] = Unoffered(
        'services of type "{type}" are not offered yet; this path answers 404'
    )


Service = Annotated[
    WebSocketService | StaticService | PathTree | JsonService | RedirectService | NodeInfoService | OtherService,
    Field(discriminator="type"),
]
PathTree.model_rebuild()

SERVICE_TYPES: dict[str, type[Section]] = {
    "websocket": WebSocketService,
    "static": StaticService,
    "path": PathTree,
    "json": JsonService,
    "redirect": RedirectService,
    "nodeinfo": NodeInfoService,
}


def segments_at(location: Location) -> tuple[str, ...]:
    """Return the URL path segments of the service at ``location``, which is relative to the service's transport.

    The location has the form ``paths, key, paths, key, ...``. Each key is a segment, except the key "/".
    """
    return tuple(str(key) for key in location[1::2] if key != "/")
