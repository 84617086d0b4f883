"""The effects of a configuration edit on open sessions and on the built-in service."""

from collections.abc import Iterable

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wamp_transport.admin.edit_validation import configuration_of
from wamp_transport.admin.ending_sessions import Impact, visible_sessions
from wamp_transport.bootstrap.session_impact import count_ending
from wamp_transport.bootstrap.sources import DatabaseSource, choose_source
from wamp_transport.config.configuration import Configuration, hidden_pages
from wamp_transport.config.defaults import development_default
from wamp_transport.models import ConfigurationRow
from wamp_transport.stores.config_document import Rows

HIDDEN_PAGES = _(
    "A service on / gets all requests that match no other path of its port: the pages of Django, this admin among "
    "them, can no longer be reached on that port."
)


def stored_configuration() -> Configuration | None:
    """Return the configuration in the database; None if it has errors, in which case no node applies it."""
    return configuration_of(Rows.stored())


def impact_of_edit(before: Configuration | None, after: Configuration | None) -> Impact:
    """Return how an edit that changes the stored configuration from ``before`` to ``after`` affects open sessions."""
    visible = visible_sessions(only_configured_here=True)
    if after is None:
        return Impact(0, visible.nodes, notes=(gettext("The configuration has faults, so nodes keep the old one."),))
    source = DatabaseSource()
    served = source.served(after)
    count = count_ending(visible.counts, served if before is None else source.served(before), served)
    hides = _hides_pages(after) and (before is None or not _hides_pages(before))
    notes = (_builtin_service_note(before, after), HIDDEN_PAGES if hides else "")
    return Impact(count, visible.nodes, notes=tuple(str(note) for note in notes if note), is_risky=hides)


def impact_of_deletion(rows: Iterable[ConfigurationRow]) -> Impact:
    """Return how deleting ``rows`` would affect open sessions. Nothing is deleted."""
    stored = Rows.stored()
    return impact_of_edit(configuration_of(stored), configuration_of(stored.edited(removed=rows)))


def _hides_pages(configuration: Configuration) -> bool:
    return any(True for _ in hidden_pages(configuration))


def _builtin_service_note(before: Configuration | None, after: Configuration) -> str:
    """Return a sentence about the built-in service; an empty text if it is offered neither before nor after the edit.

    The built-in service is offered as long as no transport in the database has a path.
    """
    source = choose_source()
    if not isinstance(source, DatabaseSource) or not source.has_builtin_service:
        return ""
    builtin = development_default()
    path = builtin.services[0].path
    had_paths = before is not None and bool(before.services)
    if after.services:
        if had_paths:
            return ""
        return gettext("The paths of the transports replace the built-in service at %s.") % path
    if had_paths:
        return gettext("No transport has a path any more, so the built-in service at %s is back.") % path
    if after.realms:
        names = ", ".join(realm.name for realm in after.realms)
        text = gettext(
            "No transport has a path yet. Until one has, the built-in service at %(path)s offers: %(realms)s."
        )
        return text % {"path": path, "realms": names}
    text = gettext(
        "No transport has a path yet. Until one has, the built-in service at %(path)s stays, with realm %(realm)s."
    )
    return text % {"path": path, "realm": builtin.realms[0].name}
