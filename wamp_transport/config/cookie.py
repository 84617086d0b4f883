"""The ``cookie`` section: the cookie that identifies clients, and the store that remembers them."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from wamp_transport.config.section import Finding, Section, setting

_STORE_KEYS: Mapping[str, tuple[str, ...]] = {
    "memory": (),
    "file": ("filename", "purge_on_startup"),
    "database": ("path", "purge_on_startup", "maxsize", "readonly", "sync"),
}
"""The valid attributes of each type of store, except those that are valid for all types."""

MIN_SAFE_LENGTH = 22
"""The minimum length of an ID that cannot be guessed: 22 characters contain 132 bits."""

_ONE_DATABASE = "with type database, cookies are stored in the database of the Django project"


class CookieStoreSection(Section):
    """The store that remembers clients by their cookies: in memory, in a file for a single process, or in the database.

    The store contains a record for each cookie. Expired records are deleted every minute. The values of cookies are
    stored only as hashes.
    """

    type: Literal["memory", "file", "database"] = setting(
        "database",
        "Kind of store. memory: records are lost when the process ends. file: for one process at a time. "
        "database: Django's database, for any number of processes.",
    )
    filename: str | None = setting(
        None, "File for the records, for type file. A relative path starts in the node's directory.", min_length=1
    )
    purge_on_startup: bool = setting(False, "Delete expired records when the node starts, instead of a minute later.")
    max_cookies: int = setting(
        100_000,
        "Maximum number of records. If it is exceeded, the oldest records without a login are deleted first.",
        ge=1,
        le=100_000_000,
    )
    path: str | None = setting(
        None,
        "Directory of Crossbar's database, for type database.",
        min_length=1,
        ignored=_ONE_DATABASE,
    )
    maxsize: int = setting(
        2**30,
        "Maximum size of Crossbar's database in bytes.",
        unit="bytes",
        ge=2**17,
        le=2**37,
        ignored=f"{_ONE_DATABASE}; max_cookies limits their number",
    )
    readonly: bool = setting(False, "Open Crossbar's database for reading only.", ignored=_ONE_DATABASE)
    sync: bool = setting(True, "Write every change to Crossbar's database immediately.", ignored=_ONE_DATABASE)

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that only attributes of this ``type`` are set, and that all required attributes are set."""
        kind = given.get("type", "database")
        known = _STORE_KEYS.get(kind) if isinstance(kind, str) else None
        if known is None:
            return
        for key in given:
            if any(key in keys for keys in _STORE_KEYS.values()) and key not in known:
                yield Finding((key,), f'`{key}` does not belong to a cookie store of type "{kind}"')
        if kind == "file" and given.get("filename") is None:
            yield Finding(("filename",), 'a cookie store of type "file" needs `filename`')


class Cookie(Section):
    """The cookie that identifies a client. A service sets it if this section is given, even if the section is empty."""

    name: str = setting(
        "cbtid",
        "Name of the cookie: at least two characters (a-z, 0-9 and _; the first is a letter), optionally with the "
        "prefix __Host-. Over TLS, browsers accept a cookie with this prefix only from this host, so that no other "
        "host can set it.",
        pattern="^(__Host-)?[a-z][a-z0-9_]+$",
        expected="at least two characters (a-z, 0-9 and _; the first is a letter)",
    )
    length: int = setting(
        24,
        "Length of the cookie's value in characters. Each character contains six random bits.",
        unit="characters",
        ge=6,
        le=64,
    )
    max_age: int = setting(
        604_800,
        "Lifetime of the cookie in seconds, at most 3600 days. The server enforces it as well.",
        unit="s",
        ge=1,
        le=311_040_000,
    )
    store: CookieStoreSection = setting(CookieStoreSection(), "The store that remembers the clients.")
    secure: bool | None = setting(
        None, "Let browsers send the cookie only over TLS. Null: yes if it was set over TLS. (Crossbar: false.)"
    )
    http_strict: bool = setting(True, "Hide the cookie from scripts (HttpOnly). (Crossbar: false.)")
    same_site: Literal["Strict", "Lax", "None"] | None = setting(
        "Lax",
        "The SameSite attribute: Strict, Lax or None. With None, pages of other sites connect with the cookie. "
        "Null: no attribute. (Crossbar: null.)",
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the cookie cannot be guessed and that browsers accept it."""
        length = given.get("length")
        if isinstance(length, int) and 6 <= length < MIN_SAFE_LENGTH:
            yield Finding(
                ("length",),
                f"an id of {length} characters can be guessed",
                f"use at least {MIN_SAFE_LENGTH}",
                "ignored",
            )
        name = given.get("name")
        if isinstance(name, str) and name.startswith("__Host-") and given.get("secure") is False:
            yield Finding(
                ("secure",),
                f"browsers accept {name} only with Secure",
                "leave out `secure`, and serve over TLS",
                "ignored",
            )
        if given.get("same_site") == "None" and given.get("secure") is not True:
            yield Finding(
                ("same_site",),
                "browsers accept a cookie with SameSite=None only with Secure",
                "set `secure` to true",
                "ignored",
            )
