"""The authentication methods that use Django's users: signed tokens and Django's session cookie."""

from collections.abc import Callable
from typing import Any

from ...auth.principals import Lookup, Principal
from ...auth.providers import AuthProvider
from ...config.auth_methods import DJANGO_SESSION
from ...router.decisions import Admit, ChallengePeer, Deny, Skip
from ...router.effects import AuthenticationRequest
from ...router.options import TRUSTED
from ...stores.identity import users
from ...transports.cookies import SessionCookie
from ...wamp import errors
from ...wamp.messages import Authenticate
from .session_watch import SessionWatch

Credentials = Callable[[int], Any]
"""A function that returns the credentials from the opening handshake, given the ID of a session."""


class UserDenied(Deny, gc=False):
    """The denial of a login whose Django user is known. ``authid`` names the user in the audit trail."""

    authid: str = ""


class UserSkipped(Skip, gc=False):
    """The result if the session cookie belongs to a user who may not log in. The router tries the next method.

    ``authid`` and ``message`` are for the audit trail.
    """

    authid: str = ""
    message: str = ""


def user_of(answer: Deny) -> str | None:
    """Return the authid of the Django user whose login is denied; None if the user is not known."""
    return answer.authid if isinstance(answer, UserDenied) else None


class TokenPrincipals:
    """A source of principals that finds the principal named in a signed token."""

    provider = AuthProvider.TOKEN.value

    def __init__(self, session_watch: SessionWatch, default_role: str | None = None) -> None:
        self._session_watch = session_watch
        self._default_role = default_role

    async def find(self, lookup: Lookup) -> Principal | None:
        """Return the principal that a token names; None if the token is not valid.

        If HELLO contains an authid, it must be equal to the authid in the token.
        """
        mark = self._session_watch.mark
        details = {**lookup.details}
        details.pop("ticket", None)
        identity = await self._session_watch.queries.ask(
            users.of_token, lookup.ticket or "", lookup.realm, details, self._default_role
        )
        if identity is None or lookup.authid not in (None, "", identity.authid):
            return None
        if identity.user is not None and identity.role is not None:
            self._session_watch.watch(int(lookup.details["session"]), identity, mark)
        return Principal(identity.role, identity.authid, identity.realm, identity.extra)

    def model(self, choice: int, realm: str | None = None) -> Principal | None:
        """Return None, because a decoy challenge for a token needs no model: challenges for tokens are empty."""
        return None


class SessionMethod:
    """The authentication method for Django's session cookie. A visitor who is not logged in can try the next method."""

    def __init__(self, session_watch: SessionWatch, credentials: Credentials, default_role: str | None = None) -> None:
        self._session_watch = session_watch
        self._credentials = credentials
        self._default_role = default_role

    async def begin(self, request: AuthenticationRequest) -> ChallengePeer | Admit | Skip | Deny:
        """Admit the user of the session cookie. Deny the login if the user has no role; skip it if there is no user."""
        cookie = self._credentials(request.session_id)
        if not isinstance(cookie, SessionCookie):
            return Skip()
        mark = self._session_watch.mark
        realm = request.hello.realm
        identity = await self._session_watch.queries.ask(users.of_session, cookie.key, realm, self._default_role)
        if identity is None:
            name = await self._session_watch.queries.ask(users.inactive_user_of_session, cookie.key)
            return Skip() if name is None else UserSkipped(name, "the user is not active")
        if identity.role is None or identity.role == TRUSTED:
            return UserDenied(errors.NO_SUCH_ROLE, "this user has no role here", identity.authid)
        self._session_watch.watch(request.session_id, identity, mark)
        return Admit(realm, identity.authid, identity.role, DJANGO_SESSION.name, AuthProvider.DJANGO.value)

    async def finish(self, request: AuthenticationRequest, message: Authenticate, pending: Any) -> Admit | Deny:
        """Deny the login, because AUTHENTICATE is not valid without a challenge."""
        return Deny()
