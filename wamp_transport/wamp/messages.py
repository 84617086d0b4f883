"""The types of all WAMP messages. They are used to parse, validate and build messages.

On the wire, a message is an array, ``[code, field, field, ...]``, with the fields in the order given here. The classes
for options and details have only the keys that this router reads or sends. Other keys are ignored, and ``null`` is
treated as absent. If a value has the wrong type, the error message gives its position. ``args`` and ``kwargs`` are
still serialized; see the module ``payload``.

See the WAMP specification: Basic Profile, "Messages"; Advanced Profile, "Additional Messages".
"""

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Raw, Struct

from .ids import Id, IdOrZero
from .payload import ABSENT

Match = Literal["exact", "prefix", "wildcard"]

EncAlgo = Annotated[str, Meta(pattern=r"^(cryptobox|mqtt|xbr|x_[a-z0-9_]+)\Z")]


class Details(Struct, omit_defaults=True):
    """Options or details whose keys the router does not use."""


# --- opening and closing a session -------------------------------------------------------------------------------


class ClientRole(Struct, omit_defaults=True):
    """A role of a client, with the features that the client announced."""

    features: dict[str, bool | None] | None = None


class HelloDetails(Struct, omit_defaults=True):
    roles: dict[str, ClientRole | None] | None = None
    authmethods: list[str] | None = None
    authid: str | None = None
    authrole: str | None = None
    authextra: dict[str, Any] | None = None
    agent: str | None = None


class Hello(Struct, array_like=True, tag=1, forbid_unknown_fields=True):
    """``[HELLO, realm, details]``, client to router."""

    realm: str | None
    details: HelloDetails


class WelcomeDetails(Struct, omit_defaults=True):
    roles: dict[str, Any] = {}
    realm: str | None = None
    authid: str | None = None
    authrole: str | None = None
    authmethod: str | None = None
    authprovider: str | None = None
    authextra: dict[str, Any] | None = None
    agent: str | None = None


class Welcome(Struct, array_like=True, tag=2, forbid_unknown_fields=True):
    """``[WELCOME, session, details]``, router to client."""

    session_id: Id
    details: WelcomeDetails


class ReasonDetails(Struct, omit_defaults=True):
    """The details of ABORT and GOODBYE. ``message`` is a human-readable message."""

    message: str | None = None


class Abort(Struct, array_like=True, tag=3, forbid_unknown_fields=True):
    """``[ABORT, details, reason, args?, kwargs?]``, in both directions. ABORT ends a session without GOODBYE.

    It is also the answer to a HELLO that is refused.
    """

    details: ReasonDetails
    reason: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


class Challenge(Struct, array_like=True, tag=4, forbid_unknown_fields=True):
    """``[CHALLENGE, authmethod, extra]``, router to client."""

    method: str
    extra: dict[str, Any]


class Authenticate(Struct, array_like=True, tag=5, forbid_unknown_fields=True):
    """``[AUTHENTICATE, signature, extra]``, client to router."""

    signature: str
    extra: dict[str, Any]

    def __repr__(self) -> str:
        # For the method "ticket", this is the ticket itself: never log it.
        return "Authenticate(...)"


class Goodbye(Struct, array_like=True, tag=6, forbid_unknown_fields=True):
    """``[GOODBYE, details, reason]``, in both directions."""

    details: ReasonDetails
    reason: str


# --- shared by publish/subscribe and remote procedure calls ------------------------------------------------------


class Forwarder(Struct, omit_defaults=True):
    """An item of ``forward_for``: a session through which a message was forwarded."""

    session: Id
    authid: str
    authrole: str


class ErrorDetails(Struct, omit_defaults=True):
    enc_algo: EncAlgo | None = None
    enc_key: str | None = None
    enc_serializer: str | None = None
    ppt_scheme: str | None = None
    ppt_serializer: str | None = None
    ppt_cipher: str | None = None
    ppt_keyid: str | None = None


class Error(Struct, array_like=True, tag=8, forbid_unknown_fields=True):
    """``[ERROR, request type, request, details, error, args?, kwargs?]``, in both directions.

    Clients may send ERROR only as the answer to an INVOCATION.
    """

    request_type: int
    request_id: Id
    details: ErrorDetails
    error: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


# --- publish and subscribe ---------------------------------------------------------------------------------------


class PublishOptions(Struct, omit_defaults=True):
    acknowledge: bool | None = None
    exclude_me: bool | None = None
    exclude: list[Id] | None = None
    exclude_authid: list[str] | None = None
    exclude_authrole: list[str] | None = None
    eligible: list[Id] | None = None
    eligible_authid: list[str] | None = None
    eligible_authrole: list[str] | None = None
    disclose_me: bool | None = None
    rkey: str | None = None
    retain: bool | None = None
    transaction_hash: str | None = None
    enc_algo: EncAlgo | None = None
    enc_key: str | None = None
    enc_serializer: str | None = None
    ppt_scheme: str | None = None
    ppt_serializer: str | None = None
    ppt_cipher: str | None = None
    ppt_keyid: str | None = None
    forward_for: list[Forwarder] | None = None


class Publish(Struct, array_like=True, tag=16, forbid_unknown_fields=True):
    """``[PUBLISH, request, options, topic, args?, kwargs?]``, client to router."""

    request_id: Id
    options: PublishOptions
    topic: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


class Published(Struct, array_like=True, tag=17, forbid_unknown_fields=True):
    """``[PUBLISHED, request, publication]``, router to client."""

    request_id: Id
    publication_id: Id


class SubscribeOptions(Struct, omit_defaults=True):
    match: Match | None = None
    get_retained: bool | None = None
    nkey: str | None = None
    forward_for: list[Forwarder] | None = None


class Subscribe(Struct, array_like=True, tag=32, forbid_unknown_fields=True):
    """``[SUBSCRIBE, request, options, topic]``, client to router."""

    request_id: Id
    options: SubscribeOptions
    topic: str


class Subscribed(Struct, array_like=True, tag=33, forbid_unknown_fields=True):
    """``[SUBSCRIBED, request, subscription]``, router to client."""

    request_id: Id
    subscription_id: Id


class Unsubscribe(Struct, array_like=True, tag=34, forbid_unknown_fields=True):
    """``[UNSUBSCRIBE, request, subscription, options?]``, client to router. The options are an Autobahn extension."""

    request_id: Id
    subscription_id: Id
    options: Details | None = None


class UnsubscribedDetails(Struct, omit_defaults=True):
    subscription: Id | None = None
    reason: str | None = None


class Unsubscribed(Struct, array_like=True, tag=35, forbid_unknown_fields=True):
    """``[UNSUBSCRIBED, request, details?]``, router to client. A revocation has the request id 0, and details."""

    request_id: IdOrZero
    details: UnsubscribedDetails | None = None


class EventDetails(Struct, omit_defaults=True):
    publisher: Id | None = None
    publisher_authid: str | None = None
    publisher_authrole: str | None = None
    trustlevel: int | None = None
    topic: str | None = None
    retained: bool | None = None
    transaction_hash: str | None = None
    x_acknowledged_delivery: bool | None = None
    forward_for: list[Forwarder] | None = None
    enc_algo: EncAlgo | None = None
    enc_key: str | None = None
    enc_serializer: str | None = None
    ppt_scheme: str | None = None
    ppt_serializer: str | None = None
    ppt_cipher: str | None = None
    ppt_keyid: str | None = None


class Event(Struct, array_like=True, tag=36, forbid_unknown_fields=True):
    """``[EVENT, subscription, publication, details, args?, kwargs?]``, router to client."""

    subscription_id: Id
    publication_id: Id
    details: EventDetails
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


class EventReceived(Struct, array_like=True, tag=337, forbid_unknown_fields=True):
    """``[EVENT_RECEIVED, publication]``, client to router. This message is a provisional extension of the protocol."""

    publication_id: Id


# --- remote procedure calls --------------------------------------------------------------------------------------


class CallOptions(Struct, omit_defaults=True):
    timeout: Annotated[int, Meta(ge=0)] | None = None
    receive_progress: bool | None = None
    progress: bool | None = None
    disclose_me: bool | None = None
    rkey: str | None = None
    runmode: Literal["all", "partition"] | None = None
    transaction_hash: str | None = None
    enc_algo: EncAlgo | None = None
    enc_key: str | None = None
    enc_serializer: str | None = None
    ppt_scheme: str | None = None
    ppt_serializer: str | None = None
    ppt_cipher: str | None = None
    ppt_keyid: str | None = None
    forward_for: list[Forwarder] | None = None


class Call(Struct, array_like=True, tag=48, forbid_unknown_fields=True):
    """``[CALL, request, options, procedure, args?, kwargs?]``, client to router."""

    request_id: Id
    options: CallOptions
    procedure: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


class CancelOptions(Struct, omit_defaults=True):
    mode: Literal["skip", "kill", "killnowait"] | None = None


class Cancel(Struct, array_like=True, tag=49, forbid_unknown_fields=True):
    """``[CANCEL, request, options]``, client to router."""

    request_id: Id
    options: CancelOptions


class ResultDetails(Struct, omit_defaults=True):
    progress: bool | None = None
    callee: Id | None = None
    callee_authid: str | None = None
    callee_authrole: str | None = None
    enc_algo: EncAlgo | None = None
    enc_key: str | None = None
    enc_serializer: str | None = None
    ppt_scheme: str | None = None
    ppt_serializer: str | None = None
    ppt_cipher: str | None = None
    ppt_keyid: str | None = None


class Result(Struct, array_like=True, tag=50, forbid_unknown_fields=True):
    """``[RESULT, request, details, args?, kwargs?]``, router to client."""

    request_id: Id
    details: ResultDetails
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


class RegisterOptions(Struct, omit_defaults=True):
    match: Match | None = None
    invoke: Literal["single", "first", "last", "roundrobin", "random", "queue_least_loaded"] | None = None
    concurrency: Annotated[int, Meta(ge=1)] | None = None
    force_reregister: bool | None = None
    disclose_caller: bool | None = None
    forward_timeout: bool | None = None
    nkey: str | None = None
    forward_for: list[Forwarder] | None = None


class Register(Struct, array_like=True, tag=64, forbid_unknown_fields=True):
    """``[REGISTER, request, options, procedure]``, client to router."""

    request_id: Id
    options: RegisterOptions
    procedure: str


class Registered(Struct, array_like=True, tag=65, forbid_unknown_fields=True):
    """``[REGISTERED, request, registration]``, router to client."""

    request_id: Id
    registration_id: Id


class Unregister(Struct, array_like=True, tag=66, forbid_unknown_fields=True):
    """``[UNREGISTER, request, registration, options?]``, client to router. The options are an Autobahn extension."""

    request_id: Id
    registration_id: Id
    options: Details | None = None


class UnregisteredDetails(Struct, omit_defaults=True):
    registration: Id | None = None
    reason: str | None = None


class Unregistered(Struct, array_like=True, tag=67, forbid_unknown_fields=True):
    """``[UNREGISTERED, request, details?]``, router to client. A revocation has the request id 0, and details."""

    request_id: IdOrZero
    details: UnregisteredDetails | None = None


class InvocationDetails(Struct, omit_defaults=True):
    timeout: int | None = None
    receive_progress: bool | None = None
    progress: bool | None = None
    procedure: str | None = None
    caller: Id | None = None
    caller_authid: str | None = None
    caller_authrole: str | None = None
    trustlevel: int | None = None
    transaction_hash: str | None = None
    forward_for: list[Forwarder] | None = None
    enc_algo: EncAlgo | None = None
    enc_key: str | None = None
    enc_serializer: str | None = None
    ppt_scheme: str | None = None
    ppt_serializer: str | None = None
    ppt_cipher: str | None = None
    ppt_keyid: str | None = None


class Invocation(Struct, array_like=True, tag=68, forbid_unknown_fields=True):
    """``[INVOCATION, request, registration, details, args?, kwargs?]``, router to client."""

    request_id: Id
    registration_id: Id
    details: InvocationDetails
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


class InterruptOptions(Struct, omit_defaults=True):
    mode: Literal["kill", "killnowait"] | None = None
    reason: str | None = None


class Interrupt(Struct, array_like=True, tag=69, forbid_unknown_fields=True):
    """``[INTERRUPT, request, options]``, router to client."""

    request_id: Id
    options: InterruptOptions


class YieldOptions(Struct, omit_defaults=True):
    progress: bool | None = None
    enc_algo: EncAlgo | None = None
    enc_key: str | None = None
    enc_serializer: str | None = None
    ppt_scheme: str | None = None
    ppt_serializer: str | None = None
    ppt_cipher: str | None = None
    ppt_keyid: str | None = None


class Yield(Struct, array_like=True, tag=70, forbid_unknown_fields=True):
    """``[YIELD, request, options, args?, kwargs?]``, client to router."""

    request_id: Id
    options: YieldOptions
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


Message = (
    Hello | Welcome | Abort | Challenge | Authenticate | Goodbye | Error
    | Publish | Published | Subscribe | Subscribed | Unsubscribe | Unsubscribed | Event | EventReceived
    | Call | Cancel | Result | Register | Registered | Unregister | Unregistered | Invocation | Interrupt | Yield
)  # fmt: skip
"""Any WAMP message."""

PayloadMessage = Abort | Error | Publish | Event | Call | Result | Invocation | Yield
"""The messages with application payload."""

PAYLOAD_MESSAGES: tuple[type[PayloadMessage], ...] = (
    Abort, Error, Publish, Event, Call, Result, Invocation, Yield,
)  # fmt: skip

CODES: dict[type[Message], int] = {kind: kind.__struct_config__.tag for kind in get_args(Message)}
"""The code of each message type in the protocol."""

NAMES: dict[type[Message], str] = {
    kind: "".join("_" + letter if letter.isupper() else letter for letter in kind.__name__).upper().strip("_")
    for kind in CODES
}
"""The name of each message type in the specification."""
