"""The authentication methods without a challenge: ``tls`` and ``anonymous``.

The router itself admits anonymous clients, unless a source of principals is configured for them. The method
``anonymous`` in this module is used only if there is such a source.
"""

from typing import Any

from ..config.auth_methods import ANONYMOUS, TLS
from ..router.decisions import Admit, ChallengePeer, Deny
from ..router.effects import AuthenticationRequest
from ..wamp.messages import Authenticate
from .fingerprints import fingerprints_of
from .principals import Principals, World, admission, lookup_of


class AnonymousMethod:
    """The method for clients without credentials.

    The authid in HELLO is passed to the source of principals, and otherwise ignored.
    """

    def __init__(self, principals: Principals, world: World, default_role: str | None = None) -> None:
        self._principals = principals
        self._world = world
        self._default_role = default_role

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Deny:
        """Admit the client if the source of principals accepts it."""
        principal = await self._principals.find(lookup_of(request, ANONYMOUS.name))
        if principal is None:
            return Deny()
        request.hello.details.authid = None
        authid = request.transport.get("http_cbtid") or f"anonymous-{self._world.random_bytes(7).hex()}"
        return admission(request, principal, self._principals.provider, self._default_role, authid=authid)

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Deny the login, because AUTHENTICATE is not valid without a challenge."""
        return Deny()


class TlsMethod:
    """The method for clients with a known TLS client certificate, which identifies the principal.

    The authid in HELLO is used only if the source returns a principal without an authid.
    """

    def __init__(self, principals: Principals, world: World, default_role: str | None = None) -> None:
        self._principals = principals
        self._default_role = default_role

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Deny:
        """Admit the client as the principal to whom its certificate belongs."""
        fingerprints = fingerprints_of(request.transport.get("peer_cert"))
        if not fingerprints:
            return Deny()
        principal = await self._principals.find(lookup_of(request, TLS.name, fingerprints=fingerprints))
        if principal is None:
            return Deny()
        return admission(request, principal, self._principals.provider, self._default_role)

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Deny the login, because AUTHENTICATE is not valid without a challenge."""
        return Deny()
