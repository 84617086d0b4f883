from typing import get_type_hints

from wamp_transport.auth.method import Method
from wamp_transport.router.decisions import Admit, Challenge, Deny, Skip


def test_steps_answer_what_the_router_understands():
    assert get_type_hints(Method.begin)["return"] == Challenge | Admit | Skip | Deny
    assert get_type_hints(Method.finish)["return"] == Admit | Deny
