"""The functions of :mod:`wamp_transport.api`. They are the methods of a default session."""

from typing import Final

from .session import Session

DEFAULT_SESSION: Final = Session()
"""The session with the realm, the role and the timeout from the settings."""

publish = DEFAULT_SESSION.publish
apublish = DEFAULT_SESSION.apublish
subscribe = DEFAULT_SESSION.subscribe
asubscribe = DEFAULT_SESSION.asubscribe
call = DEFAULT_SESSION.call
acall = DEFAULT_SESSION.acall
submit = DEFAULT_SESSION.submit
stream = DEFAULT_SESSION.stream
astream = DEFAULT_SESSION.astream
register = DEFAULT_SESSION.register
aregister = DEFAULT_SESSION.aregister
session_info = DEFAULT_SESSION.session_info
asession_info = DEFAULT_SESSION.asession_info
