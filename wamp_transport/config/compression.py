"""Compression of WebSocket messages: permessage-deflate."""

from collections.abc import Iterator, Mapping
from typing import Any

from wamp_transport.config.section import Finding, Section, setting


class Deflate(Section):
    """Parameters of permessage-deflate."""

    request_no_context_takeover: bool = setting(False, "Ask clients to reset their window for every message.")
    request_max_window_bits: int = setting(
        0, "Largest window to ask clients for, 9 to 15 bits; 0: do not ask.", unit="bits", ge=0, le=15
    )
    no_context_takeover: bool | None = setting(
        None, "Reset our window for every message. Null: as the client asks; true applies in any case."
    )
    max_window_bits: int | None = setting(
        None, "Our largest window, 9 to 15 bits. Null: as the client asks, else 15.", unit="bits", ge=9, le=15
    )
    memory_level: int | None = setting(
        None, "Memory used for compressing, 1 (least) to 9 (most). Null: zlib's own default, 8.", ge=1, le=9
    )

    @classmethod
    def check(cls, given: Mapping[str, Any]) -> Iterator[Finding]:
        """Window bits below 9 are no window."""
        bits = given.get("request_max_window_bits")
        if isinstance(bits, int) and not isinstance(bits, bool) and 1 <= bits <= 8:
            yield Finding(("request_max_window_bits",), f"expected 0, or 9 to 15 bits, found {bits}")


class Compression(Section):
    """Which compression methods are agreed to."""

    deflate: Deflate | None = setting(
        None, "Parameters of permessage-deflate; {} for the defaults. Absent: no compression."
    )
