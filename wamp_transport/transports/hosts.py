"""The host of a request, and whether it is a host of the project: ``ALLOWED_HOSTS``.

A page can use a host name of its own that resolves to the address of this server (DNS rebinding). Origin and host of
its requests are then the same, so only a host that the project knows proves that a page is from the same origin.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http.request import split_domain_port, validate_host

HOSTS_IN_DEBUG: Final = (".localhost", "127.0.0.1", "[::1]")
"""The hosts that Django allows in DEBUG mode if ``ALLOWED_HOSTS`` is empty."""


def request_host(scope: Mapping[str, Any], headers: Mapping[bytes, str]) -> str | None:
    """Return the host of a request with its port, as Django determines it; None if it is not given.

    This product's own server has already put the host that a trusted proxy reports in the Host header. Under other
    servers, ``USE_X_FORWARDED_HOST`` decides, as for Django's pages.
    """
    is_own_server = "wamp_transport" in scope
    if settings.USE_X_FORWARDED_HOST and not is_own_server and b"x-forwarded-host" in headers:
        return headers[b"x-forwarded-host"]
    return headers.get(b"host")


def is_host_of_django(host: str) -> bool:
    """Return whether Django would serve a request to this host."""
    allowed = settings.ALLOWED_HOSTS or (HOSTS_IN_DEBUG if settings.DEBUG else ())
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, list(allowed))


def is_known_host(host: str) -> bool:
    """Return whether this host can be the host of a same-origin page.

    A project that serves no pages with Django need not set ``ALLOWED_HOSTS``. Then every host is accepted.
    """
    return not (settings.ALLOWED_HOSTS or settings.DEBUG) or is_host_of_django(host)
