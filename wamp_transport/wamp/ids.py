"""The ids of WAMP: integers from 1 to 2^53 inclusive, and how the stable ones are made.

Section of the specification: Basic Profile, "IDs".
"""

from hashlib import blake2b
from typing import Annotated

from msgspec import Meta

MAX_ID = 2**53

Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
"""An id on the wire."""

IdOrZero = Annotated[int, Meta(ge=0, le=MAX_ID)]
"""A request id that is 0 where the router acts on its own (revocations)."""


def stable_id(realm: str, kind: str, match: str, uri: str, salt: int = 0) -> int:
    """The id of a subscription or registration: every node names the same thing the same way.

    ``salt`` is raised by the caller when the id is taken by another URI.
    """
    text = "\0".join((realm, kind, match, uri, str(salt)))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % MAX_ID + 1
