"""The features this router announces, by role. What is here works; what works is here.

Section of the specification: Advanced Profile, "Feature Announcement".
"""

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


def router_roles() -> dict[str, dict[str, dict[str, bool]]]:
    """``WELCOME.Details.roles``."""
    return {
        "broker": {"features": dict.fromkeys(BROKER_FEATURES, True)},
        "dealer": {"features": dict.fromkeys(DEALER_FEATURES, True)},
    }
