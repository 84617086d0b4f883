"""Failed logins: the limits of a service."""

import pytest
from pydantic import ValidationError

from wamp_transport.config.lockout import Lockout


def test_limits_are_there_unless_they_are_taken_away() -> None:
    assert Lockout().counts
    assert Lockout(failures_per_address=0).counts
    assert not Lockout(failures_per_address=0, failures_per_authid=0).counts


@pytest.mark.parametrize("given", [{"failures_per_authid": -1}, {"period": 999}, {"attempts": 1}])
def test_what_makes_no_sense_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Lockout.model_validate(given)
