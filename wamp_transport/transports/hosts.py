"""Get the host of a request, and check whether it is a host of the project (see Django's setting ``ALLOWED_HOSTS``).

An attacker can publish a page under a host name that resolves to the address of this server (DNS rebinding). The Origin
and Host headers of requests from this page then name the same host. Therefore, a page is considered same-origin only if
its host is a host of the project.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http.request import split_domain_port, validate_host

HOSTS_IN_DEBUG: Final = (".localhost", "127.0.0.1", "[::1]")
"""The hosts that Django allows in DEBUG mode if ``ALLOWED_HOSTS`` is empty."""


def request_host(scope: Mapping[str, Any], headers: Mapping[bytes, str]) -> str | None:
    """Return the host of a request with its port, as Django determines it; None if it is not given.

    If a trusted proxy reports the host, this product's own server has already copied it to the Host header. Under other
    servers, the setting ``USE_X_FORWARDED_HOST`` decides which header is used, as for Django's pages.
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

    If ``ALLOWED_HOSTS`` is empty and DEBUG is off, every host is accepted, because a project that serves no pages with
    Django need not set ``ALLOWED_HOSTS``.
    """
    return not (settings.ALLOWED_HOSTS or settings.DEBUG) or is_host_of_django(host)
