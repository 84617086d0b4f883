"""The operations of the ledger as requests, and their answer.

Every request has the attributes ``script``, the name of the operation, and ``node``, the id of the node that it
concerns. ``arguments()`` returns the further arguments of its script in the order in which the script reads them.
"""

from typing import ClassVar, Literal, TypeAlias

from msgspec import Struct

Argument: TypeAlias = bytes | str | int

Status = Literal["ok", "dead", "restate", "late", "wait", "exists", "policy"]
"""The result of an operation:

- ``ok``: it was carried out
- ``dead``: the node was removed, and its id cannot be used again
- ``restate``: the ledger does not know the node, or misses one of its changes; the node must restate its rows
- ``late``: the change was overtaken by later ones, and was not carried out
- ``wait``: the ledger is settling; try again
- ``exists``: the procedure is registered by somebody else, and its policy is ``single``
- ``policy``: the procedure is registered with another invocation policy
"""


class Answer(Struct, frozen=True, array_like=True):
    """The answer to any operation.

    - ``ledger``: the id of the ledger, empty if its content was lost
    - ``newest``: the position of the newest log entry, empty if there is none
    - ``names``: for ``renew``, the members that it removed; for ``join``, the members of the abandoned ledger that it
      replaced; for ``restate``, the fields of the callees that the node lost to others
    """

    status: Status
    ledger: str
    newest: str
    names: tuple[bytes, ...] = ()


class StatedRow(Struct, frozen=True):
    """A callee, as its node describes it to the ledger.

    - ``name``: the name of the registration
    - ``token``: a number that identifies the REGISTER of this callee among all REGISTERs of its node
    - ``policy``, ``created``: policy and creation time of the registration, used if the ledger does not have it
    - ``details``: an encoded :class:`~wamp_transport.router.relayed.CalleeDetails`
    - ``number``: the number that the callee had before, or 0 if it had none; -1 in ``restate`` if the REGISTER is
      undecided, so that the ledger keeps the callee if it is there, but does not add it
    """

    name: bytes
    session: int
    token: int
    policy: str
    created: str
    details: bytes
    number: int = 0


class JoinRequest(Struct, frozen=True):
    """Become a member. ``new_ledger`` is a random id for the ledger, in case it must begin anew."""

    script: ClassVar = "join"
    node: str
    new_ledger: str
    lease: int
    record: bytes

    def arguments(self) -> list[Argument]:
        """Return the further arguments of the script."""
        return [self.new_ledger, self.lease, self.record]


class RenewRequest(Struct, frozen=True):
    """Extend the lease, and remove the members whose lease has ended.

    ``change`` is the number of the last change that the node sent.
    """

    script: ClassVar = "renew"
    node: str
    change: int
    lease: int

    def arguments(self) -> list[Argument]:
        """Return the further arguments of the script."""
        return [self.change, self.lease]


class RegisterRequest(Struct, frozen=True):
    """Add a callee.

    If ``is_forced`` is true, remove the other callees of the registration first. ``known`` are the fields of those
    that the node knows. With them, the ledger finds the callees faster.
    """

    script: ClassVar = "register"
    node: str
    change: int
    row: StatedRow
    is_forced: bool = False
    known: tuple[bytes, ...] = ()

    def arguments(self) -> list[Argument]:
        """Return the further arguments of the script."""
        row = self.row
        forced = int(self.is_forced)
        stated = (row.name, row.session, row.token, row.policy, row.created, row.details)
        return [self.change, forced, *stated, *self.known]


class UnregisterRequest(Struct, frozen=True):
    """Remove callees of this node: tuples of name, session and token. A callee with another token stays."""

    script: ClassVar = "unregister"
    node: str
    change: int
    callees: tuple[tuple[bytes, int, int], ...]

    def arguments(self) -> list[Argument]:
        """Return the further arguments of the script."""
        return [self.change, *(value for callee in self.callees for value in callee)]


class RestateRequest(Struct, frozen=True):
    """Make the ledger's rows of this node equal to ``rows``, and the node a member.

    ``ledger`` is the id of the ledger that the node knows. ``new_ledger`` is a random id for the ledger, in case it
    must begin anew.
    """

    script: ClassVar = "restate"
    node: str
    change: int
    ledger: str
    new_ledger: str
    lease: int
    record: bytes
    rows: tuple[StatedRow, ...] = ()

    def arguments(self) -> list[Argument]:
        """Return the further arguments of the script."""
        arguments: list[Argument] = [self.change, self.ledger, self.new_ledger, self.lease, self.record]
        for row in self.rows:
            arguments += (row.name, row.session, row.token, row.number, row.policy, row.created, row.details)
        return arguments


class PurgeRequest(Struct, frozen=True):
    """Remove callees of the node ``removed``, unless it is a member. ``fields`` are the fields of the callees."""

    script: ClassVar = "purge"
    node: str
    removed: str
    fields: tuple[bytes, ...]

    def arguments(self) -> list[Argument]:
        """Return the further arguments of the script."""
        return [self.removed, *self.fields]


class LeaveRequest(Struct, frozen=True):
    """Remove the member ``node``, which is this node or one that must not be a member."""

    script: ClassVar = "leave"
    node: str

    def arguments(self) -> list[Argument]:
        """Return the further arguments of the script."""
        return []


Change: TypeAlias = RegisterRequest | UnregisterRequest | RestateRequest
Request: TypeAlias = JoinRequest | RenewRequest | PurgeRequest | LeaveRequest | Change
