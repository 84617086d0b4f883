"""The fields of the ledger's two hashes and their values.

================================ ===================================================
Field of ``members``             Value
================================ ===================================================
``n:<node>``                     end of the lease, number of the last change, record
``d:<node>``                     when this member was removed
================================ ===================================================

================================ ===================================================
Field of ``rows``                Value
================================ ===================================================
``r:<name>``                     :class:`RegistrationRow`
``c:<name> <node> <session>``    :class:`CalleeRow`
================================ ===================================================

The name of a registration consists of its match policy, realm and URI, separated by spaces. Both hashes also have the
field ``id``. ``prelude.lua`` lists the other fields.
"""

from typing import Final, NamedTuple, cast

from msgspec import Struct

from ...router.options import Match

MEMBER: Final = b"n:"
REMOVED: Final = b"d:"
REGISTRATION: Final = b"r:"
CALLEE: Final = b"c:"


class RegistrationKey(NamedTuple):
    """A procedure or pattern in a realm."""

    realm: str
    match: Match
    uri: str

    @property
    def name(self) -> bytes:
        """The name of the registration in the ledger. Raises ValueError if realm or URI contains a space."""
        text = f"{self.match} {self.realm} {self.uri}"
        if text.count(" ") != 2:
            raise ValueError(f"a realm or URI of a registration contains a space: {text!r}")
        return text.encode("utf-8", "surrogatepass")

    @property
    def field(self) -> bytes:
        """The field of the registration in the hash ``rows``."""
        return REGISTRATION + self.name


class CalleeKey(NamedTuple):
    """A callee of a registration: the node to which it is connected, and its session id."""

    registration: RegistrationKey
    node: str
    session: int

    @property
    def field(self) -> bytes:
        """The field of the callee in the hash ``rows``."""
        return b"%b%b %b %d" % (CALLEE, self.registration.name, self.node.encode(), self.session)


class RegistrationRow(NamedTuple):
    """A registration in the ledger.

    - ``policy``: the invocation policy
    - ``callee_count``: the number of callees
    - ``next_number``: the number that the next callee gets
    - ``created``: when the registration was created, by the clock of the first callee's node
    """

    policy: str
    callee_count: int
    next_number: int
    created: str

    def encode(self) -> bytes:
        """Return the value of the field that contains this row."""
        return f"{self.policy} {self.callee_count} {self.next_number} {self.created}".encode()

    @classmethod
    def decode(cls, value: bytes) -> "RegistrationRow":
        """Parse the value of a field."""
        policy, count, next_number, created = value.decode().split(" ", 3)
        return cls(policy, int(count), int(next_number), created)


class CalleeRow(NamedTuple):
    """A callee in the ledger.

    - ``number``: the number by which the callees of the registration are ordered
    - ``token``: a number that identifies the REGISTER of this callee among all REGISTERs of its node
    - ``details``: an encoded :class:`~wamp_transport.router.relayed.CalleeDetails`
    """

    number: int
    token: int
    details: bytes

    def encode(self) -> bytes:
        """Return the value of the field that contains this row."""
        return b"%d %d %b" % self

    @classmethod
    def decode(cls, value: bytes) -> "CalleeRow":
        """Parse the value of a field."""
        number, token, details = value.split(b" ", 2)
        return cls(int(number), int(token), details)


class MemberRow(NamedTuple):
    """A member in the ledger.

    - ``lease_end``: the time by the ledger's clock at which the lease ends, in milliseconds
    - ``change``: the number of the last change of the node
    - ``record``: an encoded :class:`MemberRecord`
    """

    lease_end: int
    change: int
    record: bytes

    def encode(self) -> bytes:
        """Return the value of the field that contains this row."""
        return b"%d %d %b" % self

    @classmethod
    def decode(cls, value: bytes) -> "MemberRow":
        """Parse the value of a field."""
        lease_end, change, record = value.split(b" ", 2)
        return cls(int(lease_end), int(change), record)


class MemberRecord(Struct, array_like=True, frozen=True, omit_defaults=True):
    """The details of a member that the ledger stores for the other nodes. Later releases may add fields at the end.

    - ``name``: a human-readable name, such as the host name and the process id
    - ``protocols``: the lowest and the highest version of the protocol between nodes that the member supports
    - ``lease``: the time in milliseconds for which the member counts as alive after a renewal
    - ``realms``: the names of its realms
    """

    name: str
    protocols: tuple[int, int]
    lease: int
    realms: tuple[str, ...] = ()


def parse_registration_field(field: bytes) -> RegistrationKey:
    """Return the registration that a field ``r:<name>`` describes."""
    match, realm, uri = field[2:].decode("utf-8", "surrogatepass").split(" ")
    return RegistrationKey(realm, cast(Match, match), uri)


def parse_callee_field(field: bytes) -> CalleeKey:
    """Return the callee that a field ``c:<name> <node> <session>`` describes."""
    match, realm, uri, node, session = field[2:].decode("utf-8", "surrogatepass").split(" ")
    return CalleeKey(RegistrationKey(realm, cast(Match, match), uri), node, int(session))


def registration_of(field: bytes) -> bytes:
    """Return the field of the registration to which a callee belongs, given the callee's field."""
    return REGISTRATION + field[2:].rsplit(b" ", 2)[0]


def node_of(field: bytes) -> bytes:
    """Return the id of a callee's node, given the callee's field."""
    return field.rsplit(b" ", 2)[1]
