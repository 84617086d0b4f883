"""Cookie tracking of clients: the cookie and where its records are kept."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from wamp_transport.config.section import Finding, Section, setting

_STORE_KEYS: Mapping[str, tuple[str, ...]] = {
    "memory": (),
    "file": ("filename", "purge_on_startup"),
    "database": ("path", "purge_on_startup", "maxsize", "readonly", "sync"),
}


class CookieStore(Section):
    """Where cookie records are kept."""

    type: Literal["memory", "file", "database"] = setting(..., "Kind of store: memory, file or database.")
    filename: str | None = setting(None, "File of the records, for type file.", min_length=1)
    path: str | None = setting(None, "Directory of the database, for type database.", min_length=1)
    purge_on_startup: bool = setting(False, "Drop expired records when the node starts.")
    maxsize: int = setting(
        2**30,
        "Largest size of the database in bytes, 131072 to 137438953472 (128 GiB).",
        unit="bytes",
        ge=2**17,
        le=2**37,
    )
    readonly: bool = setting(False, "Open the database for reading only.")
    sync: bool = setting(True, "Write every change to disk at once.")

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Every kind of store has attributes of its own, some of which must be given."""
        kind = given.get("type")
        known = _STORE_KEYS.get(kind) if isinstance(kind, str) else None
        if known is None:
            return
        for key in given:
            if key != "type" and key in cls.model_fields and key not in known:
                yield Finding((key,), f'`{key}` does not belong to a cookie store of type "{kind}"')
        needed = {"file": "filename", "database": "path"}.get(str(kind))
        if needed and given.get(needed) is None:
            yield Finding((needed,), f'a cookie store of type "{kind}" needs `{needed}`')


class Cookie(Section):
    """The cookie that a client is known by."""

    name: str = setting(
        "cbtid",
        "Name of the cookie: at least two of a-z, 0-9 and _, starting with a letter.",
        pattern="^[a-z][a-z0-9_]+$",
        expected="at least two of a-z, 0-9 and _, starting with a letter",
    )
    length: int = setting(24, "Length of the cookie's value in characters, 6 to 64.", unit="characters", ge=6, le=64)
    max_age: int = setting(
        604_800, "Life of the cookie in seconds, 1 to 311040000 (ten years).", unit="s", ge=1, le=311_040_000
    )
    store: CookieStore = setting(..., "Where the records are kept.")
    secure: bool = setting(False, "Send the cookie over TLS only.")
    http_strict: bool = setting(False, "Hide the cookie from scripts (HttpOnly).")
    same_site: Literal["Strict", "Lax", "None"] | None = setting(
        None, "The cookie's SameSite attribute: Strict, Lax or None."
    )
