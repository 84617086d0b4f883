from wamp_transport.cluster.inbox_deletions import DELAY_SECONDS, InboxDeletions


def test_key_is_deleted_immediately_and_again_later() -> None:
    deletions = InboxDeletions()
    deletions.add("a", 10.0, is_immediate=True)
    assert deletions.is_pending("a")
    assert deletions.next_deadline() == 10.0
    assert deletions.take(10.0) == ["a"]
    assert deletions.take(10.0) == []
    assert deletions.is_pending("a")
    deletions.confirm(["a"], 10.0)
    assert not deletions.is_pending("a")
    assert deletions.next_deadline() == 10.0 + DELAY_SECONDS
    assert deletions.take(69.0) == []
    assert deletions.take(70.0) == ["a"]
    deletions.confirm(["a"], 70.0)
    assert deletions.next_deadline() is None


def test_key_of_a_node_that_others_removed_is_deleted_later() -> None:
    deletions = InboxDeletions()
    deletions.add("a", 10.0, is_immediate=False)
    assert not deletions.is_pending("a")
    assert deletions.take(69.0) == []
    assert deletions.take(70.0) == ["a"]


def test_both_reports_of_a_removal_count_as_one() -> None:
    deletions = InboxDeletions()
    deletions.add("a", 10.0, is_immediate=False)
    deletions.add("a", 11.0, is_immediate=True)
    assert deletions.take(11.0) == ["a"]
    deletions.add("a", 12.0, is_immediate=False)
    deletions.confirm(["a"], 11.0)
    assert deletions.next_deadline() == 70.0
    assert deletions.take(70.0) == ["a"]
    deletions.confirm(["a"], 70.0)
    assert deletions.next_deadline() is None


def test_unconfirmed_deletions_are_repeated_on_the_next_connection() -> None:
    deletions = InboxDeletions()
    deletions.add("a", 10.0, is_immediate=True)
    deletions.add("b", 10.0, is_immediate=False)
    assert deletions.take(10.0) == ["a"]
    deletions.disconnected(15.0)
    assert deletions.take(15.0) == ["a"]
    deletions.confirm(["a"], 15.0)
    assert sorted(deletions.take(70.0)) == ["a", "b"]
    deletions.disconnected(100.0)
    assert sorted(deletions.take(100.0)) == ["a", "b"]
    deletions.confirm(["a", "b"], 100.0)
    assert deletions.next_deadline() is None
