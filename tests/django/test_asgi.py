from wamp_transport import asgi, routing


def test_application_is_that_of_routing():
    assert asgi.wamp_application is routing.wamp_application
    assert asgi.WampApplication is routing.WampApplication
