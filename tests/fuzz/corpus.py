"""What mutation begins with: real messages in every serialization, and values that decoders have stumbled over."""

from typing import Any

from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.testing import wire_codecs
from wamp_transport.wamp.ids import MAX_ID

ROLES = {
    "publisher": {},
    "subscriber": {"features": {"subscription_revocation": True}},
    "caller": {"features": {"progressive_call_results": True, "progressive_call_invocations": True}},
    "callee": {
        "features": {
            "progressive_call_results": True,
            "progressive_call_invocations": True,
            "call_canceling": True,
            "call_reroute": True,
        }
    },
}
HELLO: list[Any] = [1, "realm1", {"roles": ROLES, "agent": "fuzz", "authextra": {"a": [1, None]}}]

MESSAGES: list[list[Any]] = [
    HELLO,
    [3, {"message": "why"}, "a.b"],
    [5, "signature", {}],
    [6, {}, "wamp.close.normal"],
    [8, 68, 1, {}, "wamp.error.unavailable", ["why"]],
    [8, 68, 1, {"ppt_scheme": "x_a"}, "a.b", [], {"a": 1}],
    [16, 1, {"acknowledge": True, "exclude_me": False}, "a.b", [1, "two", 3.5, None, True]],
    [16, 2, {"retain": True, "eligible_authid": ["a"], "exclude": [1]}, "a.b", [], {"a": {"b": [1.0, "\0"]}}],
    [16, 3, {"enc_algo": "x_a", "enc_key": "k", "disclose_me": True}, "a.b", "opaque"],
    [16, 4, {"acknowledge": True, "rkey": "r", "forward_for": [{"session": 1, "authid": "a", "authrole": "b"}]}, "a"],
    [32, 1, {"match": "prefix", "get_retained": True}, "a."],
    [32, 2, {"match": "wildcard", "nkey": "n"}, "a..b"],
    [32, 3, {}, "a.b"],
    [34, 1, 1],
    [48, 1, {"timeout": 1000, "receive_progress": True}, "a.b", ["\u00e4\U0001f600"], {"k": [2**63, -1]}],
    [48, 2, {"progress": True, "disclose_me": True}, "a.b", [{"n": {}}]],
    [48, 3, {}, "wamp.session.list", [["anonymous"]]],
    [48, 4, {}, "wamp.session.kill", [1], {"reason": "a.b", "message": "m"}],
    [48, 5, {}, "wamp.session.add_testament", ["a.b", [1], {}], {"scope": "detached", "publish_options": {}}],
    [48, 6, {}, "wamp.subscription.match", ["a.b"]],
    [48, 7, {}, "wamp.subscription.get_events", [1, 5], {"reverse": True, "from_time": "2026-01-01T00:00:00Z"}],
    [48, 8, {}, "wamp.registration.lookup", ["a", {"match": "prefix"}]],
    [48, 9, {"runmode": "partition", "rkey": "r"}, "a.b"],
    [49, 1, {"mode": "kill"}],
    [64, 1, {"match": "prefix", "invoke": "roundrobin", "concurrency": 2, "force_reregister": True}, "a."],
    [64, 2, {"disclose_caller": True, "forward_timeout": True, "nkey": "n"}, "a.b"],
    [66, 1, MAX_ID],
    [70, 1, {"progress": True}, ["part"]],
    [70, 1, {}, [b"\x00\xff".hex()], {"k": None}],
    [337, 1],
]

IN_MSGPACK = """
    d40000 d6ff00000001 a2fffe c402fffe 819001 cb7ff8000000000000 d8ffffffffffffffffffffffffffffffffff
    c70cffffffffffffffffffffffffff
"""
IN_CBOR = """
    c074323032362d30312d30315430303a30303a30305a c06178 c11bffffffffffffffff c1fbffffffffffffffff
    c249010000000000000000 c34101 c4821b7fffffffffffffff01 c4822003 c5821b00000000ffffffff01 c5822003
    d81e820100 d81e820102 d8236128 d8236161 d8246178 d8254100 d8255000000000000000000000000000000000
    d901028101 d901028180 d90104447f000001 d90105a1447f0000001818 d8641b7f7f7f7f7f7f7f7f d903ec6178
    d81c81d81d00 d90100816161 f7 f0 f820 f97e00 7f6161ff 5f4161ff 9f01ff bf616101ff a18001 a10102 62fffe
    63eda080 d9d9f701 1bffffffffffffffff d82b6178 d8288281018101
"""
"""Values in hex: extension types, numbers at the edge, text that is none, tags with what they do not expect."""

ODD: dict[str, list[bytes]] = {
    "json": [
        b'[16,1,{},"a",["\\u0000AAE="]]', b'[16,1,{},"a",["\\ud800"]]', b'[16,1,{},"a",[1e999,-0.0,1E400]]',
        b'[16,1,{},"a",[123456789012345678901234567890]]', b'[16,1,{},"a",[' + b"9" * 5000 + b"]]",
        b'[16,1,{"acknowledge":null},"a",null,null]', b'[16,1.0,{},"a"]', b'{"a":1}', b"[" * 2000,
        b'[16,1,{},"a",[{"a":1,"a":2}]]', b'[16,1,{"acknowledge":true},"a",[],{"\\udc00":1}]',
        b'[48,1,{},"wamp.session.get",[1.0]]', b'[48,1,{},"a",' + b"[" * 900 + b"]" * 900 + b"]",
    ],
    "msgpack": [
        *(b"\x95\x10\x01\x80\xa1a\x91" + bytes.fromhex(value) for value in IN_MSGPACK.split()),
        b"\x95\x10\x01\x80\xa1a\x91\xde\x00\x65" + b"".join(bytes((key, 0xC0)) for key in range(101)),
        b"\x95\x10\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\x80\xa1a", b"\xdd\xff\xff\xff\xff", b"\x91" * 2000,
    ],
    "cbor": [
        *(b"\x85\x10\x01\xa0aa\x81" + bytes.fromhex(value) for value in IN_CBOR.split()),
        b"\x85\x10\x01\xa0aa\x81\xb8\x65" + b"".join(b"\x19\x01" + bytes((key, 0xF6)) for key in range(101)),
        b"\x85\x10\x01\xa0aa\x81\xd8\x40\x42\x00\xff", b"\x81" * 2000, b"\x9b" + b"\xff" * 8, b"\x5b\x7f" + b"\xff" * 7,
    ],
}  # fmt: skip
"""By serialization."""


def seeds(name: str) -> list[bytes]:
    """All of them in one serialization."""
    return [wire_codecs.dump(name, message) for message in MESSAGES] + ODD[name]


NAMES = list(SERIALIZERS)
