import pytest
from pydantic import ValidationError

from wamp_transport.config import router_options, service_options
from wamp_transport.config.limits import LimitsSection, Lockout, RealmLimitsSection
from wamp_transport.router.options import DEFAULT_LIMITS, Limits

NAMES = ("sessions", "subscriptions", "registrations", "calls", "uri_length", "depth", "payload_size", "calls_size")
PLACE = "workers[0].realms[0]"


def test_every_limit_has_an_attribute():
    assert LimitsSection().limits() == Limits()
    assert RealmLimitsSection().limits() == DEFAULT_LIMITS
    given = {f"max_{name}": number for number, name in enumerate(NAMES, 1)}
    assert LimitsSection(**given).limits() == Limits(1, 2, 3, 4, 5, 6, 7, 8)


@pytest.mark.parametrize("name", NAMES)
def test_limit_reaches_the_router(worker, node, read, name):
    worker["realms"][0]["options"] = {f"max_{name}": 3}
    worker["realms"][0]["roles"][0][f"max_{name}"] = 2
    worker["transports"][0]["paths"]["ws"]["options"] = {f"max_{name}": 1}
    configuration = read(node).configuration
    realm = router_options(configuration).realms["realm1"]
    services = {service.path: service_options(service) for service in configuration.services}
    assert getattr(realm.limits, name) == 3
    assert getattr(realm.roles["anonymous"].limits, name) == 2
    assert getattr(services["/ws"].limits, name) == 1
    assert services["/"].limits == Limits()


@pytest.mark.parametrize("value", [-1, True, "1", 1.5, None])
def test_limit_that_is_no_count_is_refused(worker, node, read, value):
    worker["realms"][0]["options"] = {"max_calls": value}
    worker["realms"][0]["roles"][0]["max_depth"] = value
    assert list(read(node).faults) == [f"{PLACE}.roles[0].max_depth", f"{PLACE}.options.max_calls"]


def test_lockout_counts_unless_both_limits_are_zero() -> None:
    assert Lockout().counts
    assert Lockout(failures_per_address=0).counts
    assert not Lockout(failures_per_address=0, failures_per_authid=0).counts


@pytest.mark.parametrize("given", [{"failures_per_authid": -1}, {"period": 999}, {"attempts": 1}])
def test_bad_lockout_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Lockout.model_validate(given)
