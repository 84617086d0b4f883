"""Change and describe registrations, on a single node and in a cluster."""

from ..wamp import errors
from ..wamp.errors import RequestRefused
from ..wamp.messages import RegisterOptions, Unregistered, UnregisteredDetails
from ..wamp.payload import PYTHON
from .effects import Effect, Send
from .handler_options import HandlerRegisterOptions
from .policies import HERE, public_policy
from .records import ACTIVE_STATES, Callee, CallPeer, Registration


def add_callee(registration: Registration, callee: Callee) -> None:
    """Add a callee. The callees remain in the order of their numbers."""
    callees = registration.callees
    last = next(reversed(callees.values()), None)
    callees[callee.peer.id] = callee
    if last is not None and callee.number < last.number:
        ordered = sorted(callees.items(), key=lambda item: item[1].number)
        callees.clear()
        callees.update(ordered)
    callee.peer.registrations[registration.id] = registration


def requested_policy(options: RegisterOptions) -> str:
    """Return the invocation policy that a callee requests in a cluster."""
    if options.invoke is None and isinstance(options, HandlerRegisterOptions) and options.prefers_own_node:
        return HERE
    return options.invoke or "single"


def check_policy(registration: Registration, invoke: str) -> None:
    """Check that a callee with this invocation policy may join a registration. Raises RequestRefused."""
    if public_policy(registration.invoke) == "single":
        raise already_exists(registration.procedure)
    if registration.invoke != invoke:
        text = f"{registration.procedure!r} is registered with the invocation policy {registration.invoke!r}"
        raise RequestRefused(errors.PROCEDURE_EXISTS_WITH_DIFFERENT_POLICY, text)


def already_exists(procedure: str) -> RequestRefused:
    """Return the error for a procedure that no other callee can register, as with the policy ``single``."""
    return RequestRefused(errors.PROCEDURE_ALREADY_EXISTS, f"{procedure!r} is already registered")


def send_unregistered(outbox: list[Effect], peer: CallPeer, registration: Registration, reason: str) -> None:
    """Send UNREGISTERED to a callee that has lost a registration, if the client supports revocation."""
    if peer.state in ACTIVE_STATES and peer.has("callee", "registration_revocation"):
        details = UnregisteredDetails(registration=registration.id, reason=reason)
        outbox.append(Send((peer.id,), Unregistered(0, details), PYTHON))


def describe(registration: Registration) -> dict[str, object]:
    """Return the details of a registration for the meta API."""
    return {
        "id": registration.id,
        "created": registration.created,
        "uri": registration.procedure,
        "match": registration.match,
        "invoke": public_policy(registration.invoke),
    }
