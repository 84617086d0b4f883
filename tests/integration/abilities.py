"""What each client library can do: one table for the tests and for `docs/clients.md`.

A scenario names the features that each side needs. It is not run for a pair that lacks one of them, and the page gives
the reason. Every reason was found in the library's source or seen on the wire.
"""

#: The tested versions of the libraries, and their serializers.
LIBRARIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "autobahn-python": ("26.10.2", ("json", "msgpack", "cbor")),
    "autobahn-js": ("22.11.1", ("json", "msgpack", "cbor")),
    "wampy": ("8.0.2", ("json", "msgpack", "cbor")),
    "xconn": ("0.5.1", ("json", "msgpack", "cbor")),
    "swampyer": ("3.1.20260922", ("json", "msgpack", "cbor")),
    "demo": ("ours", ("json",)),
}

#: By library, its built-in authentication methods besides anonymous. The tests try each with right and wrong secrets.
METHODS: dict[str, tuple[str, ...]] = {
    "autobahn-python": ("ticket", "wampcra", "scram", "cryptosign"),
    "autobahn-js": ("ticket", "wampcra", "cryptosign"),
    "wampy": ("ticket", "wampcra", "cryptosign"),
    "xconn": ("ticket", "wampcra", "cryptosign"),
    "swampyer": ("ticket",),
}

FEATURES: dict[str, str] = {
    "goodbye": "waiting for the router's GOODBYE",
    "receives own events": "`exclude_me: false`",
    "unacknowledged": "publications without acknowledgment",
    "retains": "`retain`",
    "gets retained": "`get_retained`",
    "discloses publisher": "`disclose_me` of publications",
    "discloses caller": "`disclose_me` of calls",
    "unacceptable URI": "sending URIs that the router refuses",
    "answers at length": "results with several positional arguments or with keyword arguments",
    "unsubscribes from patterns": "unsubscribing from a subscription that was made with options",
    "unregisters wildcards": "unregistering a wildcard registration",
    "own errors": "errors from procedures, with custom URIs and positional arguments",
    "own errors with kwargs": "errors from procedures, with keyword arguments",
    "sees progress": "progressive results, as caller",
    "sends progress": "progressive results, as callee",
    "cancels": "canceling a call without a mode",
    "cancels by kill": "cancel mode `kill`",
    "cancels by skip": "cancel mode `skip`",
    "cancels by killnowait": "cancel mode `killnowait`",
    "is interrupted": "interrupting a procedure with INTERRUPT",
    "times out": "`timeout` of calls, in milliseconds",
    "has large integers": "integers beyond 2^53",
    "passes payload through": "payload passthru (`ppt_*`)",
}

_NO_CANCEL = dict.fromkeys(
    ("cancels", "cancels by kill", "cancels by skip", "cancels by killnowait"), "it has no CANCEL"
)
_NO_INTERRUPT = {"is interrupted": "its callee does not announce call canceling"}
_NUMBERS = {"has large integers": "numbers in JavaScript are not exact beyond 2^53"}
_NO_PASSTHRU = {"passes payload through": "it does not announce it"}
_CLOSES = (
    "it forgets the call, treats the router's answer as a protocol violation, and closes the connection; use `kill`"
)

#: By library, the features that it lacks, with the reason.
LACKS: dict[str, dict[str, str]] = {
    "autobahn-python": {
        "discloses publisher": "`PublishOptions` has no such field",
        "discloses caller": "`CallOptions` has no such field",
        "unacceptable URI": "it refuses them itself",
        **dict.fromkeys(
            ("cancels by kill", "cancels by skip", "cancels by killnowait"),
            "its API has no way to choose a mode",
        ),
        "passes payload through": "it supports the older `enc_*` instead",
    },
    "autobahn-js": {
        **dict.fromkeys(("cancels", "cancels by skip", "cancels by killnowait"), _CLOSES),
        **_NO_INTERRUPT,
        **_NUMBERS,
        **_NO_PASSTHRU,
    },
    "wampy": {
        "receives own events": "it sends `exclude_me` only if it is true",
        "unacknowledged": "it always asks for an acknowledgment",
        "retains": "it validates the option but does not send it",
        "unacceptable URI": "it refuses them itself",
        "unregisters wildcards": "it treats the pattern as an invalid URI",
        "unsubscribes from patterns": "it raises an exception after the router has confirmed",
        **_NO_INTERRUPT,
        **_NUMBERS,
    },
    "xconn": {
        "own errors with kwargs": "it sends only positional arguments",
        **_NO_PASSTHRU,
        **dict.fromkeys(("sees progress", "sends progress"), "it has no progressive results"),
        **_NO_CANCEL,
        **_NO_INTERRUPT,
    },
    "swampyer": {
        "goodbye": "it closes the connection immediately",
        **_NO_PASSTHRU,
        "gets retained": "it may lose an event that arrives right after SUBSCRIBED, before its handler is installed",
        "answers at length": "the value that a procedure returns becomes the only positional argument",
        **dict.fromkeys(("own errors", "own errors with kwargs"), "every error is `error.invoke.failure`"),
        **dict.fromkeys(("sees progress", "sends progress"), "it has no progressive results"),
        **_NO_CANCEL,
        **_NO_INTERRUPT,
    },
    "demo": {**_NUMBERS, **_NO_PASSTHRU},
}
