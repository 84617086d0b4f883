"""The ids of WAMP, integers from 1 to 2^53, and a function that generates stable ids.

Section of the specification: Basic Profile, "IDs".
"""

from hashlib import blake2b
from typing import Annotated

from msgspec import Meta

MAX_ID = 2**53

Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
"""An id in a message."""

IdOrZero = Annotated[int, Meta(ge=0, le=MAX_ID)]
"""A request id, or 0 if the router acts without a request (revocations)."""


def stable_id(realm: str, kind: str, match: str, uri: str, salt: int = 0) -> int:
    """Return the id of a subscription or registration. It is the same on all nodes.

    Increase ``salt`` if the id already belongs to another URI.
    """
    text = "\0".join((realm, kind, match, uri, str(salt)))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % MAX_ID + 1
