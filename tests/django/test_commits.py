"""Which changes are announced to nodes, and that this happens only after the commit."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from wamp_transport.bootstrap import hint_sender
from wamp_transport.models import Principal, Realm
from wamp_transport.models.commits import CONFIGURATION, IDENTITY, change_committed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def announced() -> Iterator[list[str]]:
    kinds: list[str] = []

    def committed(kind: str, **_event: object) -> None:
        kinds.append(kind)

    change_committed.connect(committed)
    yield kinds
    change_committed.disconnect(committed)


CHANGES: list[Callable[[], object]] = [
    lambda: Realm.objects.create(name="other"),
    lambda: Realm.objects.filter(name="one").update(name="two"),
    lambda: Realm.objects.bulk_create([Realm(name="other")]),
    lambda: Realm.objects.get(name="one").delete(),
    lambda: Realm.objects.get(name="one").save(),
]


@pytest.mark.parametrize("change", CHANGES)
def test_change_of_the_configuration_is_announced(change: Callable[[], object], announced: list[str]) -> None:
    Realm.objects.create(name="one")
    announced.clear()
    change()
    assert set(announced) == {CONFIGURATION}


def test_change_of_an_identity_is_announced_after_it_was_recorded(announced: list[str]) -> None:
    user = User.objects.create_user("joe", password="x")
    assert announced == []
    user.is_active = False
    user.save()
    assert announced == [IDENTITY]
    Principal.objects.create(realm="realm1", authid="pump", role="user")
    assert announced == [IDENTITY, IDENTITY]


def test_nothing_is_announced_before_the_commit_or_after_a_rollback(announced: list[str]) -> None:
    with transaction.atomic():
        Realm.objects.create(name="one")
        Principal.objects.create(realm="realm1", authid="pump", role="user")
        assert announced == []
    assert set(announced) == {CONFIGURATION, IDENTITY}
    announced.clear()
    with transaction.atomic():
        Realm.objects.create(name="two")
        transaction.set_rollback(True)
    assert announced == []


def test_failure_of_a_receiver_does_not_reach_the_change(
    announced: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hint_sender.sender, "send", lambda kind: 1 / 0)
    Realm.objects.create(name="one")
    assert set(announced) == {CONFIGURATION}
    assert "ZeroDivisionError" in caplog.text
