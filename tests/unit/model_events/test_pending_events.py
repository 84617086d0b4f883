"""How long a commit waits for the router, and what belongs to one."""

import pytest
from django.db import transaction

from wamp_transport.api import NotConfigured
from wamp_transport.api.session import PendingPublication, Session
from wamp_transport.model_events.pending_events import MAX_COMMIT_SECONDS, Commit, PendingEvent, next_commit


def pending(commit, on_failed=None):
    publication = PendingPublication.of("com.item.created", [1], None, None, Session(timeout=None))
    return PendingEvent("shop.Item 1 created", publication, on_failed or (lambda event, fault: None), commit)


def test_patience_is_that_of_the_settings_where_it_is_less(settings):
    for seconds, patience in ((2, 2), (None, MAX_COMMIT_SECONDS), (60, MAX_COMMIT_SECONDS)):
        settings.WAMP_TRANSPORT = {"API": {"TIMEOUT": seconds}}
        commit = Commit()
        assert not commit.has_begun
        assert patience - 1 < commit.seconds_left() <= patience
        assert commit.has_begun


@pytest.mark.expects_errors("shop.Item 1 created was not published on com.item.created, nor were 1 more")
def test_what_is_given_up_is_told_once_and_sent_no_more(caplog):
    faults = []
    commit = Commit()
    first, second = (pending(commit, lambda event, fault: faults.append(fault)) for _ in range(2))
    commit.waiting.update({second})
    commit.give_up(first)
    assert (
        "shop.Item 1 created was not published on com.item.created, nor were 1 more of the same commit" in caplog.text
    )
    second.send()
    assert faults == []
    assert not commit.waiting


def test_other_faults_go_to_whoever_wants_them(settings):
    settings.WAMP_TRANSPORT = {}
    faults = []
    pending(Commit(), lambda event, fault: faults.append(fault)).send()
    assert [isinstance(fault, NotConfigured) for fault in faults] == [True]


@pytest.mark.django_db(transaction=True)
def test_transaction_has_one_commit_and_the_next_another():
    assert next_commit("default") is not next_commit("default")
    with transaction.atomic():
        one = next_commit("default")
        with transaction.atomic():
            assert next_commit("default") is one
        one.seconds_left()
        assert next_commit("default") is not one


@pytest.mark.django_db(transaction=True)
def test_event_waits_for_the_commit_and_is_forgotten_with_a_rollback():
    commit = Commit()
    with transaction.atomic():
        pending(commit).send_after_commit("default")
        assert len(commit.waiting) == 1
        transaction.set_rollback(True)
    assert not commit.waiting
    assert not commit.has_begun
    pending(commit).send_after_commit("default")
    assert commit.has_begun
