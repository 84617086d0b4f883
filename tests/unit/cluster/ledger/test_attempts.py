from wamp_transport.cluster.ledger.attempts import DECISION_TIME, RegisterAttempt
from wamp_transport.cluster.ledger.operations import StatedRow


def new_attempt() -> RegisterAttempt:
    return RegisterAttempt(StatedRow(b"exact r x", 1, 1, "single", "then", b"d"), is_forced=False, now=5.0)


def test_attempt_is_due_until_it_was_sent() -> None:
    attempt = new_attempt()
    answers: dict[str, int] = {}
    assert attempt.is_due(5.0, answers.get)
    attempt.is_waiting = True
    assert not attempt.is_due(5.0, answers.get)
    attempt.retry(6.0, 0.5)
    assert not attempt.is_due(6.0, answers.get)
    assert attempt.is_due(6.5, answers.get)
    assert attempt.deadline == 6.5 + DECISION_TIME


def test_holder_is_asked_once_and_counts_when_it_has_answered() -> None:
    attempt = new_attempt()
    answers = {"a": 4, "b": 0}
    assert attempt.ask_holders(["a"], answers.get) == ["a"]
    assert attempt.ask_holders(["a", "b"], answers.get) == ["b"]
    attempt.retry(5.0, 1.0)
    assert not attempt.is_due(5.0, answers.get)
    answers["b"] = 1
    assert attempt.is_due(5.0, answers.get)
    assert attempt.ask_holders(["a", "b"], answers.get) is None


def test_node_that_cannot_be_asked_counts_as_alive() -> None:
    attempt = new_attempt()
    assert attempt.ask_holders(["a", "unknown"], {"a": 4}.get) is None
    assert attempt.ask_holders(["a"], {"a": 5}.get) == ["a"]


def test_peer_that_has_left_does_not_answer() -> None:
    attempt = new_attempt()
    attempt.ask_holders(["a"], {"a": 4}.get)
    attempt.retry(5.0, 1.0)
    assert not attempt.is_due(5.0, {}.get)
