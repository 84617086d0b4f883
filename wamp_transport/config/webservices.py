"""The simple web services: static files, a JSON value, a redirect, and a page about the node."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from wamp_transport.config.report import short
from wamp_transport.config.section import Finding, Section, identifier, setting


class StaticOptions(Section):
    """Options for serving files."""

    enable_directory_listing: bool = setting(
        False,
        "List the files of a directory that has no index.html.",
        ignored="directory listings are not offered; a directory without index.html answers 404",
    )
    mime_types: dict[str, str] = setting(
        {}, 'Additional media types by file name extension, such as {".md": "text/markdown"}.'
    )
    cache_timeout: int | None = setting(
        43_200, "Time in seconds for which browsers may cache a file. Null: no caching headers.", unit="s", ge=0
    )
    default_file: str | None = setting(
        None, "File to serve for all paths that match no other file, for single-page applications.", min_length=1
    )
    allow_cross_origin: bool = setting(False, "Let pages of other origins read the files. (Crossbar: always.)")

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that extensions start with a dot and media types have two parts."""
        types = given.get("mime_types")
        for extension, media_type in types.items() if isinstance(types, dict) else ():
            if not extension.startswith("."):
                yield Finding(("mime_types", extension), "expected an extension that starts with a dot as key")
            if isinstance(media_type, str) and media_type.count("/") != 1:
                yield Finding(
                    ("mime_types", extension),
                    f'expected a media type such as "text/plain", found "{short(media_type)}"',
                )


class StaticService(Section):
    """Static files from a directory or from an installed Python package."""

    type: Literal["static"] = setting(..., 'Must be "static".')
    id: str | None = identifier()
    directory: str | None = setting(
        None,
        "Directory of the files, absolute or relative to the directory of the configuration file.",
        pattern=r"^[^\x00]+$",
        expected="the path of a directory",
    )
    package: str | None = setting(None, "Python package that contains the files. Requires `resource`.", min_length=1)
    resource: str | None = setting(None, "Directory of the files in `package`.", pattern=r"^[^\x00]+$")
    options: StaticOptions = setting(StaticOptions(), "Options of served files.")

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that either a directory or a package and resource are given."""
        has = {key: given.get(key) is not None for key in ("directory", "package", "resource")}
        if has["directory"] and (has["package"] or has["resource"]):
            yield Finding((), "expected either `directory`, or `package` and `resource`, found both")
        elif not has["directory"] and not (has["package"] and has["resource"]):
            yield Finding((), "expected either `directory`, or `package` and `resource`, found neither")


class JsonOptions(Section):
    """Options of the JSON response."""

    prettify: bool = setting(True, "Indent the text.")
    allow_cross_origin: bool = setting(False, "Let pages of other origins read the value.")
    discourage_caching: bool = setting(False, "Tell browsers not to cache the value.")


class JsonService(Section):
    """A fixed JSON value."""

    type: Literal["json"] = setting(..., 'Must be "json".')
    id: str | None = identifier()
    value: Any = setting(..., "The JSON value.")
    options: JsonOptions = setting(JsonOptions(), "Options of the response.")


class RedirectService(Section):
    """A redirect to another URL."""

    type: Literal["redirect"] = setting(..., 'Must be "redirect".')
    id: str | None = identifier()
    url: str = setting(
        ..., "Target: a URL or a path.", pattern=r"^[\x21-\x7e]+$", expected="a URL, printable ASCII without blanks"
    )


class NodeInfoService(Section):
    """A page with information about the node."""

    type: Literal["nodeinfo"] = setting(..., 'Must be "nodeinfo".')
    id: str | None = identifier()
