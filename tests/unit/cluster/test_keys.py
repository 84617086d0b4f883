import re

import pytest
from django.utils.crypto import salted_hmac

from wamp_transport.cluster.keys import LAYOUT, ClusterKeys, differ_only_in_layout, hint_group, key_prefix, layout_of


def test_prefix_contains_name_code_and_layout() -> None:
    code = salted_hmac("wamp.cluster", "shop-production", "secret", algorithm="sha256").hexdigest()[:8]
    assert key_prefix("shop-production", "secret") == f"{{wamp:shop-production:{code}}}:1:"


def test_secret_can_be_bytes() -> None:
    assert key_prefix("shop", b"secret") == key_prefix("shop", "secret")


def test_keys_differ_between_secrets_and_between_names() -> None:
    assert len({key_prefix(name, secret) for name in ("a", "b") for secret in ("x", "y")}) == 4


def test_all_keys_begin_with_the_prefix() -> None:
    keys = ClusterKeys("shop", "secret")
    all_keys = (keys.members, keys.rows, keys.log, keys.inbox("n1"), keys.inbox("n2"))
    assert all(key.startswith(key_prefix("shop", "secret")) for key in all_keys)
    assert len(set(all_keys)) == 5


@pytest.mark.parametrize("name", ["", "a b", "a}b", "{a", "a*", "é", "a" * 65, "a\n"])
def test_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="invalid cluster name"):
        key_prefix(name, "secret")


def test_group_for_hints_depends_on_the_secret() -> None:
    assert hint_group("x") == hint_group(b"x") != hint_group("y")
    assert re.fullmatch(r"wamp\.hints\.[0-9a-f]{8}", hint_group("x"))


def test_layouts_have_no_keys_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes of releases with different layouts of the data form two clusters on the same server."""
    keys = ClusterKeys("shop", "secret")
    monkeypatch.setattr("wamp_transport.cluster.keys.LAYOUT", 2)
    later = ClusterKeys("shop", "secret")
    assert later.prefix == key_prefix("shop", "secret") != keys.prefix
    for each in (keys, later):
        assert all(key.startswith(each.prefix) for key in (each.members, each.rows, each.log, each.inbox("n1")))


def test_layout_is_read_from_a_prefix():
    prefix = key_prefix("shop", "secret")
    assert layout_of(prefix) == str(LAYOUT)
    assert layout_of("{wamp:shop:1}:12:") == "12"
    assert differ_only_in_layout("{wamp:shop:1}:12:", "{wamp:shop:1}:2:")
    assert not differ_only_in_layout(prefix, prefix)
    assert not differ_only_in_layout("{wamp:shop:1}:1:", "{wamp:shop:2}:1:")
    assert not differ_only_in_layout("{wamp:shop:1}:1:", "{wamp:shop:2}:2:")
