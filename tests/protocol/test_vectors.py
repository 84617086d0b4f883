"""The specification's own test vectors: single messages in every serializer, and sequences against a router.

They are the folder ``testsuite`` of the repository wamp-proto/wamp-proto. Without it these tests are skipped.
"""

import itertools
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.testing import wire_codecs as wire
from wamp_transport.testing.memory import MemoryNode, anonymous_options
from wamp_transport.wamp.errors import ProtocolViolation
from wamp_transport.wamp.messages import CODES, NAMES
from wamp_transport.wamp.payload import ABSENT

ROOT = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("WAMP_VECTORS") or ROOT.parent / "shared" / "vectors")
if not VECTORS.is_dir():
    pytest.skip(
        f"The official WAMP test vectors are not in {VECTORS}: clone wamp-proto/wamp-proto and set WAMP_VECTORS to its"
        " folder 'testsuite'",
        allow_module_level=True,
    )

SINGLE = sorted(VECTORS.glob("singlemessage/*/*.json"))
SEQUENCES = sorted(VECTORS.glob("multisession/*/*.json"))
CODE_OF = {name: CODES[kind] for kind, name in NAMES.items()}


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def samples(key: str) -> list[Any]:
    return [
        pytest.param(vector, sample, id=f"{path.stem}-{number}")
        for path in SINGLE
        for vector in [load(path)]
        for number, sample in enumerate(vector["samples"])
        if key in sample
    ]


def test_vectors_are_there():
    assert len(SINGLE) >= 26
    assert SEQUENCES
    assert samples("serializers")


def attributes(message: Any, name: str) -> dict[str, Any]:
    """Return a message in the form of the vectors: fields by the specification's names, payload as values."""
    found = {"message_type": CODES[type(message)]}
    for field in message.__struct_fields__:
        value = getattr(message, field)
        if field in ("args", "kwargs"):
            found[field] = None if value is ABSENT else SERIALIZERS[name].values(value)
        else:
            found[field] = msgspec.to_builtins(value)
    return found


@pytest.mark.parametrize("name", SERIALIZERS)
@pytest.mark.parametrize(("vector", "sample"), samples("serializers"))
def test_every_encoding_of_a_sample_is_read(vector, sample, name):
    expected = sample["expected_attributes"]
    variants = sample["serializers"].get(name, [])
    assert variants
    for variant in variants:
        message = SERIALIZERS[name].decode(bytes.fromhex(variant["bytes_hex"]))
        assert NAMES[type(message)] == vector["wamp_message_type"]
        found = attributes(message, name)
        compare(found, expected)


def compare(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for key, value in expected.items():
        if key == "payload":
            if value is not None:
                assert found["args"] == bytes.fromhex(value)
        elif key == "args" and expected.get("payload"):
            assert isinstance(found["args"], bytes)
        elif key in found:
            wanted = value or None
            assert (found[key] or None) == wanted or plain(found[key]) == plain(wanted), key


def plain(value: Any) -> Any:
    """Bytes in the way the vectors write them in JSON."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("vector", "sample"), samples("serializers"))
def test_message_is_transcoded_between_serializers(vector, sample):
    for name, target in itertools.product(SERIALIZERS, repeat=2):
        written = {bytes.fromhex(each["bytes_hex"]) for each in sample["serializers"][target]}
        for variant in sample["serializers"][name]:
            message = SERIALIZERS[name].decode(bytes.fromhex(variant["bytes_hex"]))
            data = SERIALIZERS[target].encode(message, name)
            again = SERIALIZERS[target].decode(data)
            assert attributes(again, target) == attributes(message, name), (name, target)
            # MessagePack has several headers for a map; all else is the same byte for byte.
            assert data in written or (target == "msgpack" and same_values(data, written)), (name, target)


def same_values(data: bytes, written: set[bytes]) -> bool:
    return any(wire.load("msgpack", data) == wire.load("msgpack", each) for each in written)


@pytest.mark.parametrize("name", SERIALIZERS)
@pytest.mark.parametrize(("vector", "sample"), samples("wmsg"))
def test_validation_samples_are_taken_or_refused(vector, sample, name):
    data = wire.dump(name, sample["wmsg"])
    if "expected_error" not in sample:
        assert NAMES[type(SERIALIZERS[name].decode(data))] == vector["wamp_message_type"]
        return
    with pytest.raises(ProtocolViolation, match=sample["expected_error"]["contains"]):
        SERIALIZERS[name].decode(data)


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize("path", SEQUENCES, ids=lambda path: path.stem)
def test_sequences_run_against_a_router(path, serializer):
    vector = load(path)
    node = MemoryNode(anonymous_options(*{session["realm"] for session in vector["sessions"]}))
    peers = {}
    for session in vector["sessions"]:
        peers[session["session_id"]] = peer = node.connect(serializer)
        peer.join(session["realm"], roles={role: {} for role in session["roles"]})
    ids: dict[int, int] = {}
    for step in vector["sequence"]:
        if step["to"] == "router":
            peers[step["from"]].send(as_array(step["message"], ids))
        else:
            check_received(peers[step["to"]].receive(), step["message"], ids)
    assert not any(peer.inbox for peer in peers.values())


def as_array(message: dict[str, Any], ids: dict[int, int]) -> list[Any]:
    values = [
        ids.get(value, value) if isinstance(value, int) else value for key, value in message.items() if key != "type"
    ]
    return [CODE_OF[message["type"]], *values]


def check_received(found: list[Any], expected: dict[str, Any], ids: dict[int, int]) -> None:
    """``ids``: those the router chose, by the number that stands for them in the vector."""
    assert found[0] == CODE_OF[expected["type"]]
    keys = [key for key in expected if key != "type"]
    assert len(found) == len(keys) + 1
    for key, value in zip(keys, found[1:], strict=True):
        if key in ("subscription_id", "publication_id", "registration_id"):
            assert ids.setdefault(expected[key], value) == value
        else:
            assert value == expected[key], key
