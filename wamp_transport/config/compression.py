"""Compression of WebSocket messages: permessage-deflate."""

from collections.abc import Iterator, Mapping
from typing import Any

from wamp_transport.config.section import Finding, Section, setting


class Deflate(Section):
    """Parameters of permessage-deflate."""

    request_no_context_takeover: bool = setting(False, "Ask clients to reset their window for each message.")
    request_max_window_bits: int = setting(
        0, "Maximum window size to request from clients, 9 to 15 bits. 0: no request.", unit="bits", ge=0, le=15
    )
    no_context_takeover: bool | None = setting(
        None, "Reset the server's window for each message. Null: only if the client asks for it."
    )
    max_window_bits: int | None = setting(
        None,
        "Maximum window size of the server in bits. Null: the size that the client requests, or 15.",
        unit="bits",
        ge=9,
        le=15,
    )
    memory_level: int | None = setting(
        None, "Memory for compression, from 1 (least) to 9 (most). Null: zlib's default, 8.", ge=1, le=9
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Check that the window bits are in range."""
        bits = given.get("request_max_window_bits")
        if isinstance(bits, int) and not isinstance(bits, bool) and 1 <= bits <= 8:
            yield Finding(("request_max_window_bits",), f"expected 0, or 9 to 15 bits, found {bits}")


class Compression(Section):
    """The compression methods that the server accepts."""

    deflate: Deflate | None = setting(None, "Parameters of permessage-deflate. {}: the defaults. Null: no compression.")
