"""The functions of the API are the methods of a session, each in a sync and an async version."""

import inspect

import pytest

from wamp_transport import api
from wamp_transport.api import functions


def test_every_method_of_a_session_is_a_function():
    methods = {name for name in vars(api.Session) if not name.startswith("_")}
    assert methods <= set(api.__all__)
    assert all(getattr(api, name) == getattr(functions.DEFAULT_SESSION, name) for name in methods)


@pytest.mark.parametrize("name", ["publish", "call", "stream", "subscribe", "register", "session_info"])
def test_twins_take_the_same_arguments(name):
    sync, twin = getattr(api, name), getattr(api, f"a{name}")
    assert inspect.signature(sync).parameters == inspect.signature(twin).parameters


def test_without_a_router_all_functions_say_so():
    for function, args in ((api.publish, ()), (api.call, ()), (api.submit, ()), (api.subscribe, (print,))):
        with pytest.raises(api.NotConfigured):
            function("com.x", *args)
