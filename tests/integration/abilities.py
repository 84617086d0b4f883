"""What each client library can do: one table for the tests and for `docs/clients.md`.

A scenario says what it needs of either side. A pair that lacks something does not run it, and the page says why.
Every reason was read in the library's source or seen on the wire.
"""

#: The libraries with the versions tried and the serializers they have.
LIBRARIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "autobahn-python": ("26.10.2", ("json", "msgpack", "cbor")),
    "autobahn-js": ("22.11.1", ("json", "msgpack", "cbor")),
    "wampy": ("8.0.2", ("json", "msgpack", "cbor")),
    "xconn": ("0.5.1", ("json", "msgpack", "cbor")),
    "swampyer": ("3.1.20260922", ("json", "msgpack", "cbor")),
    "demo": ("ours", ("json",)),
}

#: By library, the methods by which it logs in of itself, beside anonymous; the tests try each, right and wrong.
METHODS: dict[str, tuple[str, ...]] = {
    "autobahn-python": ("ticket", "wampcra", "scram", "cryptosign"),
    "autobahn-js": ("ticket", "wampcra", "cryptosign"),
    "wampy": ("ticket", "wampcra", "cryptosign"),
    "xconn": ("ticket", "wampcra", "cryptosign"),
    "swampyer": ("ticket",),
}

FEATURES: dict[str, str] = {
    "goodbye": "the router's GOODBYE is waited for",
    "receives own events": "`exclude_me: false`",
    "unacknowledged": "publications without acknowledgement",
    "retains": "`retain`",
    "gets retained": "`get_retained`",
    "discloses publisher": "`disclose_me` of publications",
    "discloses caller": "`disclose_me` of calls",
    "unacceptable URI": "URIs that the router refuses reach it",
    "answers at length": "results with several positional, or with keyword arguments",
    "unsubscribes from patterns": "ending a subscription that was made with options",
    "unregisters wildcards": "ending a registration by wildcard",
    "own errors": "procedures answer with errors of their own URI and positional arguments",
    "own errors with kwargs": "such errors with keyword arguments",
    "sees progress": "progressive results, as caller",
    "sends progress": "progressive results, as callee",
    "cancels": "cancels a call without naming a mode",
    "cancels by kill": "cancel mode `kill`",
    "cancels by skip": "cancel mode `skip`",
    "cancels by killnowait": "cancel mode `killnowait`",
    "is interrupted": "INTERRUPT reaches the procedure",
    "times out": "`timeout` of calls, in milliseconds",
    "has large integers": "integers beyond 2^53",
    "passes payload through": "payload passthru (`ppt_*`)",
}

_NO_CANCEL = dict.fromkeys(
    ("cancels", "cancels by kill", "cancels by skip", "cancels by killnowait"), "it has no CANCEL"
)
_NO_INTERRUPT = {"is interrupted": "its callee does not announce call canceling"}
_NUMBERS = {"has large integers": "numbers of JavaScript are not exact there"}
_NO_PASSTHRU = {"passes payload through": "it does not announce it"}
_CLOSES = "it forgets the call, then takes the router's answer for a violation and closes: use `kill`"

#: By library, what it lacks and why.
LACKS: dict[str, dict[str, str]] = {
    "autobahn-python": {
        "discloses publisher": "`PublishOptions` has no such field",
        "discloses caller": "`CallOptions` has no such field",
        "unacceptable URI": "it checks them",
        **dict.fromkeys(
            ("cancels by kill", "cancels by skip", "cancels by killnowait"), "a cancelled future names no mode"
        ),
        "passes payload through": "it has the older `enc_*` instead",
    },
    "autobahn-js": {
        **dict.fromkeys(("cancels", "cancels by skip", "cancels by killnowait"), _CLOSES),
        **_NO_INTERRUPT,
        **_NUMBERS,
        **_NO_PASSTHRU,
    },
    "wampy": {
        "receives own events": "it sends `exclude_me` only where it is true",
        "unacknowledged": "it always asks for the acknowledgement",
        "retains": "it checks the option but does not send it",
        "unacceptable URI": "it checks them",
        "unregisters wildcards": "it takes the pattern for an invalid URI",
        "unsubscribes from patterns": "it throws an exception when the router has agreed",
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
        "goodbye": "it closes at once",
        **_NO_PASSTHRU,
        "gets retained": "it may lose an event that comes right behind SUBSCRIBED, before its handler is in place",
        "answers at length": "what a procedure returns becomes the one positional argument",
        **dict.fromkeys(("own errors", "own errors with kwargs"), "every error is `error.invoke.failure`"),
        **dict.fromkeys(("sees progress", "sends progress"), "it has no progressive results"),
        **_NO_CANCEL,
        **_NO_INTERRUPT,
    },
    "demo": {**_NUMBERS, **_NO_PASSTHRU},
}
