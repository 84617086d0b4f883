"""The page that explains whether a role may perform an action, and why."""

from dataclasses import dataclass
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
from wamp_transport.stores.identity.principals_by_name import NamedPrincipal, find_by_name

OUTCOMES = {"allowed": _("Allowed"), "denied": _("Denied"), "asked": _("An authorizer is asked")}


class ExplainForm(forms.Form):
    """The form in which the user enters the action and the URI to check."""

    action = forms.ChoiceField(label=_("Action"), choices=[(action, action) for action in ACTIONS])
    uri = forms.CharField(label=_("URI"), required=False, strip=True)
    principal = forms.CharField(
        label=_("Principal"),
        required=False,
        strip=True,
        help_text=_("An authid or the name of a Django user, whose role is used instead of this one."),
    )
    match = forms.ChoiceField(
        label=_("Match"),
        choices=[("exact", "exact"), ("prefix", "prefix"), ("wildcard", "wildcard")],
        required=False,
        help_text=_("Subscriptions and registrations may use patterns."),
    )


def explain_view(admin: AnyModelAdmin, request: HttpRequest, role: Role) -> HttpResponse:
    """Return the page with the form and, if it was submitted, the explanations."""
    form = ExplainForm(request.GET if "action" in request.GET else None)
    answers: list[Answer] = []
    problem = ""
    if form.is_valid():
        answers, problem = _answers(role, form.cleaned_data)
    context: dict[str, Any] = {
        **admin.admin_site.each_context(request),
        "title": gettext("Explain"),
        "subtitle": str(role),
        "opts": admin.opts,
        "original": role,
        "media": admin.media,
        "form": form,
        "answers": answers,
        "problem": problem,
    }
    return TemplateResponse(request, "admin/wamp_transport/explain.html", context)


def _answers(role: Role, asked: dict[str, Any]) -> tuple[list["Answer"], str]:
    """Return the explanations and an empty string or, if nothing can be explained, an empty list and the reason.

    ``asked`` contains the values of the form. If they name a principal, explain the decision for each role that the
    principal can have. Otherwise, explain it for ``role``.
    """
    try:
        configuration = store.load(base_directory())
    except ConfigError as error:
        text = gettext("The stored configuration has faults and cannot be used, so there is no answer: %s")
        return [], text % error.report.faults[0]
    realm = next((one for one in configuration.realms if one.name == role.realm.name), None)
    if realm is None:
        return [], gettext("The realm of this role is not in the running configuration.")
    name = asked["principal"]
    found = find_by_name(configuration, realm.name, name) if name else [NamedPrincipal(role.name, "")]
    if not found:
        return [], gettext("No principal with this name is known in realm %s.") % realm.name
    missing = [one.role for one in found if all(each.name != one.role for each in realm.roles)]
    if missing:
        return [], gettext("The realm has no role %s.") % ", ".join(missing)
    who: dict[str, list[str]] = {}
    for one in found:
        who.setdefault(one.role, []).append(one.who)
    place = configuration.realm_places.get(realm.name, "")
    match: Any = asked["match"] or "exact"
    answers = [
        Answer(explain(realm, place, each, asked["action"], asked["uri"], match), ", ".join(filter(None, from_where)))
        for each, from_where in who.items()
    ]
    return answers, ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The explanation of one decision, shown on the page.

    If the user entered the name of a principal, ``who`` describes where the principal's role is defined.
    """

    explanation: Explanation
    who: str

    @property
    def outcome(self) -> Any:
        """The outcome as text."""
        return OUTCOMES[self.explanation.outcome]

    @property
    def rules(self) -> list[Any]:
        """The rule that decides, followed by the rules that it overrides."""
        return [] if self.explanation.rule is None else [self.explanation.rule, *self.explanation.beaten]
