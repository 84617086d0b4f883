"""Compression of messages: negotiation with the client, and the compressor and decompressor of a connection.

The extension ``permessage-deflate`` is defined in RFC 7692, "Compression Extensions for WebSocket", section 7.
"""

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from autobahn.exception import PayloadCorruptError, PayloadExceededError

from ...config.compression import Deflate
from ..encoders import deflated

NAME: Final = "permessage-deflate"

MIN_WINDOW_BITS, MAX_WINDOW_BITS = 9, 15
"""The window sizes in bits that zlib supports for raw streams.

The RFC also allows 8. An offer that demands this for the router's window is declined. If a client uses it for its own
window, its messages are decompressed with 9.
"""

TRAILER: Final = b"\x00\x00\xff\xff"
"""The last bytes of a flushed block. A sender omits them, and the receiver adds them again."""

Offer = tuple[str, Mapping[str, Sequence[Any]]]
"""The name of an extension and its parameters. A parameter without a value is True; a repeated one has several values.
"""


@dataclass(frozen=True, slots=True)
class DeflateParameters:
    """The parameters that router and client have agreed on for one connection. Window sizes are in bits.

    ``our_reset`` is true if the router compresses each message with an empty window, ``their_reset`` if the client does
    so. ``answer`` is the value of the response header ``Sec-WebSocket-Extensions``.
    """

    our_window: int
    our_reset: bool
    their_window: int
    their_reset: bool
    memory_level: int
    answer: str


def agree(offers: Iterable[Offer], settings: Deflate) -> DeflateParameters | None:
    """Return the parameters for the first acceptable offer.

    Return None if no offer is acceptable. In this case, messages are not compressed.
    """
    for name, parameters in offers:
        if name == NAME and (accepted := _accept(parameters, settings)) is not None:
            return accepted
    return None


def _accept(offered: Mapping[str, Sequence[Any]], settings: Deflate) -> DeflateParameters | None:
    parameters: dict[str, Any] = {name: values[0] if len(values) == 1 else "" for name, values in offered.items()}
    our_reset = parameters.pop("server_no_context_takeover", False)
    their_reset = parameters.pop("client_no_context_takeover", False)
    our_window = parameters.pop("server_max_window_bits", "15")
    their_window = parameters.pop("client_max_window_bits", None)
    has_their_window = their_window is not None
    if their_window is None or their_window is True:
        their_window = "15"
    if parameters or not {type(our_reset), type(their_reset)} <= {bool}:
        return None  # unknown, repeated, or with an invalid value
    if not (_is_window(our_window) and _is_window(their_window)) or int(our_window) < MIN_WINDOW_BITS:
        return None
    if settings.request_max_window_bits and not has_their_window:
        return None  # the client does not support a limit on its window

    answer = [NAME]
    if our_reset:
        answer.append("server_no_context_takeover")
    if their_reset or settings.request_no_context_takeover:
        answer.append("client_no_context_takeover")
    ours = min(int(our_window), settings.max_window_bits or MAX_WINDOW_BITS)
    theirs = min(int(their_window), settings.request_max_window_bits or MAX_WINDOW_BITS)
    if "server_max_window_bits" in offered:
        answer.append(f"server_max_window_bits={ours}")
    if settings.request_max_window_bits:
        answer.append(f"client_max_window_bits={theirs}")
    return DeflateParameters(
        our_window=ours,
        our_reset=our_reset or settings.no_context_takeover is True,
        their_window=max(theirs, MIN_WINDOW_BITS),  # zlib's own compressor uses 9 if 8 is requested
        their_reset=their_reset or settings.request_no_context_takeover,
        memory_level=settings.memory_level or zlib.DEF_MEM_LEVEL,
        answer="; ".join(answer),
    )


def _is_window(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[89]|1[0-5]", value) is not None


class PerMessageDeflate:
    """The compressor and decompressor of one connection. Autobahn's parser calls the methods for incoming messages.

    A window is created on first use, and kept between messages only if this was agreed. After an error, all data is
    discarded, because the connection is being closed, and Autobahn continues to read only to find the peer's close
    frame.
    """

    EXTENSION_NAME = NAME

    def __init__(self, parameters: DeflateParameters) -> None:
        self.parameters = parameters
        self._compressor: Any = None
        self._decompressor: Any = None
        self._has_failed = False

    def compress(self, payload: bytes) -> bytes:
        """Return the compressed payload of a message."""
        parameters = self.parameters
        compressor = self._compressor
        if compressor is None:
            compressor = zlib.compressobj(wbits=-parameters.our_window, memLevel=parameters.memory_level)
            if not parameters.our_reset:
                self._compressor = compressor
        return deflated(compressor, payload)

    def decompress(self, payload: bytes, max_output_len: int) -> bytes:
        """Return the decompressed message of a single frame. ``max_output_len`` is in octets; 0 for no limit.

        Raises the errors of :meth:`decompress_message_data` and :meth:`end_decompress_message`.
        """
        self.start_decompress_message()
        message = self.decompress_message_data(payload, max_output_len=max_output_len or None)
        self.end_decompress_message()
        return message

    def start_decompress_message(self) -> None:
        """Prepare to decompress a message."""
        if self._decompressor is None:
            self._decompressor = zlib.decompressobj(-self.parameters.their_window)

    def decompress_message_data(self, data: bytes, max_output_len: int | None = None) -> bytes:
        """Return the decompressed data for a piece of the message.

        Raises PayloadExceededError if the result has more than ``max_output_len`` octets, without decompressing the
        rest. Raises PayloadCorruptError if the data is invalid.
        """
        if self._has_failed:
            return b""
        room = -1 if max_output_len is None else max(max_output_len, 0)
        try:
            payload: bytes = self._decompressor.decompress(data, room + 1)
        except zlib.error as error:
            raise self._corrupt(str(error)) from error
        if 0 <= room < len(payload):
            self._has_failed = True
            raise PayloadExceededError(f"more than {max_output_len} octets")
        if len(self._decompressor.unused_data) > 1:  # one octet can follow: the first of an empty block
            raise self._corrupt("data after the last block")
        return payload

    def end_decompress_message(self) -> None:
        """Finish decompressing a message. Raises PayloadCorruptError if its data is incomplete."""
        if self._has_failed:
            return
        decompressor = self._decompressor
        try:
            rest = b"" if decompressor.eof else decompressor.decompress(TRAILER)
        except zlib.error as error:
            raise self._corrupt(str(error)) from error
        if rest:
            raise self._corrupt("the last block is incomplete")
        if self.parameters.their_reset or decompressor.eof:
            self._decompressor = None

    def _corrupt(self, message: str) -> PayloadCorruptError:
        self._has_failed = True
        return PayloadCorruptError(message)
