import msgspec
import pytest

from wamp_transport.wamp.messages import (
    CODES,
    NAMES,
    PAYLOAD_MESSAGES,
    Authenticate,
    Event,
    Message,
    Publish,
    PublishOptions,
)
from wamp_transport.wamp.payload import ABSENT


def test_every_message_has_its_code_and_name():
    by_name = {NAMES[kind]: code for kind, code in CODES.items()}
    assert by_name == {
        "HELLO": 1, "WELCOME": 2, "ABORT": 3, "CHALLENGE": 4, "AUTHENTICATE": 5, "GOODBYE": 6, "ERROR": 8,
        "PUBLISH": 16, "PUBLISHED": 17, "SUBSCRIBE": 32, "SUBSCRIBED": 33, "UNSUBSCRIBE": 34, "UNSUBSCRIBED": 35,
        "EVENT": 36, "EVENT_RECEIVED": 337, "CALL": 48, "CANCEL": 49, "RESULT": 50, "REGISTER": 64, "REGISTERED": 65,
        "UNREGISTER": 66, "UNREGISTERED": 67, "INVOCATION": 68, "INTERRUPT": 69, "YIELD": 70,
    }  # fmt: skip


def test_payload_stands_last_in_the_messages_that_carry_it():
    for kind in CODES:
        carries = kind.__struct_fields__[-2:] == ("args", "kwargs")
        assert carries == (kind in PAYLOAD_MESSAGES)


def test_absent_payload_is_the_one_that_stands_for_it():
    message = msgspec.json.decode(b'[16,1,{},"com.x"]', type=Message)
    assert message == Publish(1, PublishOptions(), "com.x")
    assert message.args is ABSENT
    assert message.kwargs is ABSENT


@pytest.mark.parametrize(("options", "place"), [({"retain": 1}, "retain"), ({"exclude": [0]}, "exclude")])
def test_fault_in_options_names_its_place(options, place):
    with pytest.raises(msgspec.ValidationError, match=place):
        msgspec.convert([16, 1, options, "com.x"], Publish)


@pytest.mark.parametrize("algorithm", ["cryptobox", "mqtt", "xbr", "x_mine_2"])
def test_known_and_private_encryption_is_taken(algorithm):
    assert msgspec.convert([36, 1, 2, {"enc_algo": algorithm}], Event).details.enc_algo == algorithm


@pytest.mark.parametrize("algorithm", ["", "rot13", "x_", "x_A", "cryptobox\n", "xcryptobox", "a cryptobox"])
def test_unknown_encryption_is_refused(algorithm):
    with pytest.raises(msgspec.ValidationError, match="enc_algo"):
        msgspec.convert([36, 1, 2, {"enc_algo": algorithm}], Event)


def test_passthru_option_that_is_null_is_as_one_that_is_not_there():
    assert msgspec.convert([16, 1, {"ppt_scheme": None}, "com.x"], Publish).options == PublishOptions()
    assert msgspec.convert([16, 1, {"ppt_scheme": "x_a"}, "com.x"], Publish).options == PublishOptions(ppt_scheme="x_a")


def test_signature_is_not_shown() -> None:
    assert "hush" not in repr(Authenticate("hush", {"nonce": "hush"}))
