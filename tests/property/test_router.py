"""Several sessions do what they like, legal or not: nobody gets what is not theirs, every call is answered once."""

import pytest
from hypothesis import settings

from ..effort import examples
from .machine import RouterMachine

pytestmark = pytest.mark.long

TestRouter = RouterMachine.TestCase
TestRouter.settings = settings(max_examples=examples(30), stateful_step_count=50, deadline=None)
