from typing import get_type_hints

from wamp_transport.router.decisions import Admit, ChallengePeer, Deny, Skip

from wamp_transport.auth.method import Method


def test_steps_answer_what_the_router_understands():
    assert get_type_hints(Method.begin)["return"] == ChallengePeer | Admit | Skip | Deny
    assert get_type_hints(Method.finish)["return"] == Admit | Deny
