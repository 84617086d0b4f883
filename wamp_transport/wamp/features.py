"""The features that this router announces, by role, and the features of clients that it uses.

See the WAMP specification, Advanced Profile, "Feature Announcement".
"""

from collections.abc import Mapping
from typing import Final

from .messages import ClientRole

BROKER_FEATURES: tuple[str, ...] = (
    "event_history",
    "event_retention",
    "pattern_based_subscription",
    "payload_passthru_mode",
    "payload_transparency",
    "publication_trustlevels",
    "publisher_exclusion",
    "publisher_identification",
    "session_meta_api",
    "sharded_subscription",
    "subscriber_blackwhite_listing",
    "subscription_meta_api",
    "subscription_revocation",
    "testament_meta_api",
)

DEALER_FEATURES: tuple[str, ...] = (
    "call_canceling",
    "call_reroute",
    "call_timeout",
    "call_trustlevels",
    "caller_identification",
    "pattern_based_registration",
    "payload_passthru_mode",
    "payload_transparency",
    "progressive_call_invocations",
    "progressive_call_results",
    "registration_meta_api",
    "registration_revocation",
    "session_meta_api",
    "sharded_registration",
    "shared_registration",
    "testament_meta_api",
)


CLIENT_ROLES: Final = frozenset({"publisher", "subscriber", "caller", "callee"})
CLIENT_FEATURES: Final = frozenset({*BROKER_FEATURES, *DEALER_FEATURES, "call_cancelling"})
"""The client features that the router uses. ``call_canceling`` has two spellings in the specification."""


def known_roles(announced: Mapping[str, ClientRole | None]) -> dict[str, ClientRole | None]:
    """Return ``HELLO.Details.roles`` with only the roles and features that the router uses, to save memory."""
    return {name: known_features(role) for name, role in announced.items() if name in CLIENT_ROLES}


def known_features(role: ClientRole | None) -> ClientRole | None:
    """Return a role with only the features that the router uses; None if the client announced no features."""
    if role is None or role.features is None:
        return None
    return ClientRole({name: on for name, on in role.features.items() if name in CLIENT_FEATURES})


def router_roles() -> dict[str, dict[str, dict[str, bool]]]:
    """Return ``WELCOME.Details.roles``: the roles broker and dealer, each with its features."""
    return {
        "broker": {"features": dict.fromkeys(BROKER_FEATURES, True)},
        "dealer": {"features": dict.fromkeys(DEALER_FEATURES, True)},
    }
