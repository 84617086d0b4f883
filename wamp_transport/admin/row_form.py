"""The form for a row. It has fields for the row's columns and attributes, and is validated against the schema."""

import copy
from collections.abc import Iterable, Mapping
from types import new_class
from typing import Any, ClassVar

from django import forms

from wamp_transport.admin.attribute_fields import ABSENT, AttributeField, field_name, from_text, to_text
from wamp_transport.admin.edit_validation import LocatedProblem, faults_caused
from wamp_transport.admin.generics import AnyInlineFormSet, AnyModelForm
from wamp_transport.admin.masking import masked, unmasked
from wamp_transport.config.attributes import Attribute
from wamp_transport.config.report import Problem


class RowForm(AnyModelForm):
    """The form for a configuration row.

    ``attributes`` maps the names of form fields to attributes. Some keys are stored in separate columns; ``columns``
    maps the JSON paths of these keys to the names of their form fields. ``type`` is the type of a new row; empty if
    rows of this model have none.
    """

    attributes: ClassVar[Mapping[str, Attribute]] = {}
    columns: ClassVar[Mapping[str, str]] = {}
    type: ClassVar[str] = ""

    is_among_others = False
    """Whether the form is part of a form set. If so, the form set validates the whole configuration, not the form."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.type and self.instance.pk is None:
            self.instance.type = self.type
        self.stored = copy.deepcopy(self.instance.settings)
        for name, attribute in self.attributes.items():
            key = attribute.path.rpartition(".")[2]
            self.initial[name] = to_text(attribute, masked({key: value_at(self.stored, attribute.path)})[key])

    def problems(self) -> list[Problem]:
        """Validate this row alone against the schema. Return the problems found, with paths relative to the row."""
        return []

    def clean(self) -> dict[str, Any] | None:
        """Write the submitted values to the row's settings. Settings of unchanged fields keep their stored values."""
        cleaned = super().clean()
        settings = copy.deepcopy(self.stored)
        for name, attribute in self.attributes.items():
            if name not in self.changed_data or name not in self.cleaned_data:
                continue
            try:
                key = attribute.path.rpartition(".")[2]
                entered = {key: from_text(attribute, self.cleaned_data[name])}
                value = unmasked(entered, {key: value_at(self.stored, attribute.path)})[key]
                put_at(settings, attribute.path, value)
            except forms.ValidationError as error:
                self.add_error(name, error)
        self.instance.settings = self.completed(settings)
        return cleaned

    def completed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the settings to save. Subclasses override this to add or remove values that depend on other values."""
        return settings

    def _post_clean(self) -> None:
        """Run Django's validation. Then validate the row against the schema, and finally the whole configuration.

        The whole configuration is not validated if there are errors already, or if the form is part of a form set.
        """
        super()._post_clean()  # type: ignore[misc]
        for problem in self.problems():
            if problem.level == "fault":
                self.show(problem, problem.path)
        if not self.errors and not self.is_among_others:
            for fault in faults_caused([self.instance]):
                self.show_fault(fault)

    def show_fault(self, fault: LocatedProblem) -> None:
        """Show an error in the configuration: next to its field if it belongs to this row, otherwise above the form."""
        self.show(fault.problem, fault.path if fault.row is self.instance else None)

    def show(self, problem: Problem, path: str | None) -> None:
        """Show a problem at the field for ``path``, unless the field already has an error.

        If there is no such field, show the problem at the top of the form.
        """
        name = None if path is None else self.field_at(path)
        if name in self.errors:
            return
        text = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        place = f"{problem.path if path is None else path}: " if path != "" and name is None else ""
        self.add_error(name, forms.ValidationError("%(text)s", code="config", params={"text": f"{place}{text}"}))

    def field_at(self, path: str) -> str | None:
        """Return the name of the form field for a JSON path of the row; None if there is none."""
        known = {**self.columns, **{attribute.path: name for name, attribute in self.attributes.items()}}
        fitting = [key for key in known if path == key or path.startswith((f"{key}.", f"{key}["))]
        name = known[max(fitting, key=len)] if fitting else None
        return name if name in self.fields else None


class RowFormSet(AnyInlineFormSet):
    """The form set for the child rows of a row.

    If each row is valid on its own, the whole configuration is validated as it would be with the edited rows.
    """

    def add_fields(self, form: Any, index: int | None) -> None:
        """Add the form's fields, and mark the form as part of a form set."""
        super().add_fields(form, index)
        form.is_among_others = True

    def clean(self) -> None:
        """Validate the whole configuration with the edited rows, unless one of them is invalid on its own.

        Show each error at its row, or above the rows if it belongs to none of them. The form for the parent row shows
        the errors in its own fields.
        """
        super().clean()
        if any(self.errors):
            return
        forms_by_row = {}
        removed = []
        for form in self.forms:
            if self._should_delete_form(form):  # type: ignore[attr-defined]
                removed.append(form.instance)
            elif form.instance.pk is not None or form.has_changed():
                setattr(form.instance, self.fk.name, self.instance)
                forms_by_row[id(form.instance)] = form
        changed = [self.instance, *(form.instance for form in forms_by_row.values())]
        texts: list[str] = []
        for fault in faults_caused(changed, [row for row in removed if row.pk is not None]):
            owner = forms_by_row.get(id(fault.row))
            if isinstance(owner, RowForm):
                owner.show_fault(fault)
            elif fault.row is not self.instance or "[" in fault.path:
                texts.append(str(fault.problem))
        if texts:
            raise forms.ValidationError([forms.ValidationError("%(text)s", params={"text": text}) for text in texts])


def form_for(base: type[RowForm], attributes: Iterable[Attribute], kind: str = "") -> type[RowForm]:
    """Return a subclass of ``base`` with a field for each supported attribute."""
    offered = {field_name(attribute): attribute for attribute in attributes if attribute.offered}
    fields: dict[str, Any] = {name: AttributeField(attribute) for name, attribute in offered.items()}
    content = {**fields, "attributes": offered, "type": kind, "__module__": base.__module__}
    return new_class(base.__name__, (base,), exec_body=lambda body: body.update(content))


def value_at(settings: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path; ``ABSENT`` if there is none."""
    value: Any = settings
    for step in path.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return ABSENT
        value = value[step]
    return value


def put_at(settings: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path. ``ABSENT`` removes the value, and parent objects that become empty."""
    *above, key = path.split(".")
    inside = [settings]
    for step in above:
        inner = inside[-1].get(step)
        if not isinstance(inner, dict):
            if value is ABSENT:
                return
            inner = inside[-1][step] = {}
        inside.append(inner)
    if value is not ABSENT:
        inside[-1][key] = value
        return
    inside[-1].pop(key, None)
    for outer, step in zip(reversed(inside[:-1]), reversed(above), strict=True):
        if outer[step]:
            break
        del outer[step]
