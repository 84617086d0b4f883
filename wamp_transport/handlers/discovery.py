"""Finds the ``wamp.py`` of each installed app, and tells what was found there and what is wrong with it."""

import logging
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps

from .declarations import REGISTRY, Declaration
from .execution import Handler, UnusableHandler

logger = logging.getLogger(__name__)

MODULE = "wamp"
OWN = "wamp_transport"
"""This app, whose ``wamp`` is another thing."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A module that cannot be imported, and why."""

    module: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.module} cannot be imported: {type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True)
class Found:
    """One declaration: what carries it out, or its ``faults`` as sentences."""

    declaration: Declaration
    handler: Handler | None
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.declaration.name} ({self.declaration.where}): {'; '.join(self.faults)}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """All that was found."""

    found: list[Found]
    broken: list[Broken]

    @property
    def handlers(self) -> list[Handler]:
        """What can be carried out."""
        return [one.handler for one in self.found if one.handler is not None]

    @property
    def problems(self) -> list[Broken | Found]:
        """What cannot; ``str()`` of each is for people."""
        return [*self.broken, *(one for one in self.found if one.faults)]


def import_modules() -> list[Broken]:
    """Import the modules, as far as they are not; which of them cannot be, and why."""
    broken = []
    for app in apps.get_app_configs():
        module = f"{app.name}.{MODULE}"
        if app.name == OWN or not hasattr(app.module, "__path__") or find_spec(module) is None:
            continue
        try:
            import_module(module)
        except Exception as error:  # the project's code: told, and the other apps go on
            logger.debug("%s cannot be imported", module, exc_info=error)
            broken.append(Broken(module, error))
    return broken


def discover() -> Discovery:
    """Import the modules, as far as they are not, and look at what they declare."""
    broken = import_modules()
    return Discovery([_looked_at(one) for one in REGISTRY.declarations], broken)


def _looked_at(declaration: Declaration) -> Found:
    try:
        return Found(declaration, Handler(declaration))
    except UnusableHandler as fault:
        return Found(declaration, None, fault.faults)
