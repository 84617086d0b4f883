"""The type of WAMP ids, which are integers from 1 to 2^53, and a function that derives stable ids from URIs.

See the WAMP specification, Basic Profile, "IDs".
"""

from hashlib import blake2b
from typing import Annotated

from msgspec import Meta

MAX_ID = 2**53

Id = Annotated[int, Meta(ge=1, le=MAX_ID)]
"""An id in a message."""

IdOrZero = Annotated[int, Meta(ge=0, le=MAX_ID)]
"""A request id, or 0 in a message that answers no request, such as a revocation."""


def stable_id(realm: str, kind: str, match: str, uri: str, salt: int = 0) -> int:
    """Derive the id of a subscription or registration from its realm, match policy and URI. All nodes get the same id.

    If the id already belongs to another pattern, call this function again with a higher ``salt``.
    """
    text = "\0".join((realm, kind, match, uri, str(salt)))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") % MAX_ID + 1
