"""The methods that ask Django who somebody is: signed tokens, and the session cookie of a browser."""

from collections.abc import Callable
from typing import Any, Final

from ...auth.principals import Lookup, Principal
from ...router.answers import Admit, Challenge, Deny, Skip
from ...router.effects import Authenticate
from ...router.options import TRUSTED
from ...stores.identity import users
from ...transports.cookies import SessionCookie
from ...wamp import errors
from ...wamp.messages import Authenticate as AuthenticateMessage
from .live import LiveIdentities

SIGNED: Final = "token"
SESSION: Final = "django-session"
DJANGO: Final = "django"

Credentials = Callable[[int], Any]
"""What the handshake of a session's connection brought."""


class TokenPrincipals:
    """Who shows a signed token. See :class:`~...auth.principals.Principals`."""

    provider = SIGNED

    def __init__(self, live: LiveIdentities, default_role: str | None = None) -> None:
        self._live = live
        self._default_role = default_role

    async def find(self, lookup: Lookup) -> Principal | None:
        """Whom the token says; the authid that is asked for must be that one, where one is asked for."""
        mark = self._live.mark
        details = {**lookup.details}
        details.pop("ticket", None)
        identity = await self._live.lookups.ask(
            users.of_token, lookup.ticket or "", lookup.realm, details, self._default_role
        )
        if identity is None or lookup.authid not in (None, "", identity.authid):
            return None
        if identity.user is not None and identity.role is not None:
            self._live.watch(int(lookup.details["session"]), identity, mark)
        return Principal(identity.role, identity.authid, identity.realm, identity.extra)

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """There are no challenges that need one."""
        return None


class SessionMethod:
    """Who is logged in to Django with the session cookie of the handshake. Others are let try the next method."""

    def __init__(self, live: LiveIdentities, credentials: Credentials, default_role: str | None = None) -> None:
        self._live = live
        self._credentials = credentials
        self._default_role = default_role

    async def begin(self, request: Authenticate) -> Challenge | Admit | Skip | Deny:
        """WELCOME for the user."""
        cookie = self._credentials(request.session_id)
        if not isinstance(cookie, SessionCookie):
            return Skip()
        mark = self._live.mark
        realm = request.hello.realm
        identity = await self._live.lookups.ask(users.of_session, cookie.key, realm, self._default_role)
        if identity is None:
            return Skip()
        if identity.role is None or identity.role == TRUSTED:
            return Deny(errors.NO_SUCH_ROLE, "this user has no role here")
        self._live.watch(request.session_id, identity, mark)
        return Admit(realm, identity.authid, identity.role, SESSION, DJANGO)

    async def finish(self, request: Authenticate, message: AuthenticateMessage, pending: Any) -> Admit | Deny:
        """There is no challenge."""
        return Deny()
