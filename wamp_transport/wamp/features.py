"""The features this router announces, by role. What is here works; what works is here.

Section of the specification: Advanced Profile, "Feature Announcement".
"""

BROKER_FEATURES: tuple[str, ...] = (
    "pattern_based_subscription",
    "publisher_exclusion",
    "publisher_identification",
    "subscriber_blackwhite_listing",
)

DEALER_FEATURES: tuple[str, ...] = (
    "caller_identification",
    "pattern_based_registration",
)


def router_roles() -> dict[str, dict[str, dict[str, bool]]]:
    """``WELCOME.Details.roles``."""
    return {
        "broker": {"features": dict.fromkeys(BROKER_FEATURES, True)},
        "dealer": {"features": dict.fromkeys(DEALER_FEATURES, True)},
    }
