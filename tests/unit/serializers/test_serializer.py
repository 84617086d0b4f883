import pytest

from wamp_transport.serializers.registry import SERIALIZERS
from wamp_transport.serializers.serializer import Serializer


@pytest.mark.parametrize("serializer", SERIALIZERS.values(), ids=SERIALIZERS)
def test_serializers_offer_what_the_protocol_says(serializer):
    for name in ("name", "subprotocol", "is_binary"):
        assert name in Serializer.__annotations__
        assert hasattr(serializer, name)
    for name in ("decode", "encode", "values"):
        assert callable(getattr(Serializer, name))
        assert callable(getattr(serializer, name))
