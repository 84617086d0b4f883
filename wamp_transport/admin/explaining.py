"""The page that tells what a role may do, and why."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wamp_transport.admin.generics import AnyModelAdmin
from wamp_transport.bootstrap.sources import base_directory
from wamp_transport.config.explain import Explanation, explain
from wamp_transport.config.report import ConfigError
from wamp_transport.models import Role
from wamp_transport.router.options import ACTIONS
from wamp_transport.stores import configuration as store

OUTCOMES = {"allowed": _("Allowed"), "denied": _("Denied"), "asked": _("An authorizer is asked")}


class ExplainForm(forms.Form):
    """An action to ask about."""

    action = forms.ChoiceField(label=_("Action"), choices=[(action, action) for action in ACTIONS])
    uri = forms.CharField(label=_("URI"), required=False, strip=True)
    match = forms.ChoiceField(
        label=_("Match"),
        choices=[("exact", "exact"), ("prefix", "prefix"), ("wildcard", "wildcard")],
        required=False,
        help_text=_("Subscriptions and registrations may be of patterns."),
    )


def explain_view(admin: AnyModelAdmin, request: HttpRequest, role: Role) -> HttpResponse:
    """The form and, where something was asked, the answer."""
    form = ExplainForm(request.GET if "action" in request.GET else None)
    told, problem = None, ""
    if form.is_valid():
        told, problem = _answer(role, form.cleaned_data)
    context: dict[str, Any] = {
        **admin.admin_site.each_context(request),
        "title": gettext("Explain"),
        "subtitle": str(role),
        "opts": admin.opts,
        "original": role,
        "media": admin.media,
        "form": form,
        "told": told,
        "problem": problem,
        "outcome": OUTCOMES[told.outcome] if told is not None else "",
        "rules": [told.rule, *told.beaten] if told is not None and told.rule is not None else [],
    }
    return TemplateResponse(request, "admin/wamp_transport/explain.html", context)


def _answer(role: Role, asked: dict[str, Any]) -> tuple[Explanation | None, str]:
    try:
        configuration = store.load(base_directory())
    except ConfigError as error:
        text = gettext("The stored configuration has faults and does not run, so there is no answer: %s")
        return None, text % error.report.faults[0]
    realm = next((one for one in configuration.realms if one.name == role.realm.name), None)
    if realm is None:
        return None, gettext("The realm of this role is not part of what runs.")
    place = configuration.realm_places.get(realm.name, "")
    return explain(realm, place, role.name, asked["action"], asked["uri"], asked["match"] or "exact"), ""
