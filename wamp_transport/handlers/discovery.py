"""Discovery of handlers: import the ``wamp`` module of each installed app, and collect its handlers and errors."""

import logging
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps

from ..project_code import call_guarded
from .declarations import REGISTRY, Declaration
from .execution import Handler, UnusableHandler

logger = logging.getLogger(__name__)

MODULE = "wamp"
OWN_APP = "wamp_transport"
"""The name of this app. It is skipped, because its module ``wamp`` contains the protocol, not handlers."""


@dataclass(frozen=True, slots=True)
class BrokenModule:
    """A module that cannot be imported, and the exception that its import raised."""

    module: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.module} cannot be imported: {type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True)
class DiscoveredHandler:
    """A declaration and its handler.

    If the declaration is invalid, ``handler`` is None, and ``faults`` contains a description of each error.
    """

    declaration: Declaration
    handler: Handler | None
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.declaration.name} ({self.declaration.where}): {'; '.join(self.faults)}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The declarations and the broken modules of all apps."""

    entries: list[DiscoveredHandler]
    broken: list[BrokenModule]

    @property
    def handlers(self) -> list[Handler]:
        """The handlers whose declarations are valid."""
        return [one.handler for one in self.entries if one.handler is not None]

    @property
    def problems(self) -> list[BrokenModule | DiscoveredHandler]:
        """The modules that cannot be imported, and the invalid declarations. ``str()`` of each describes the error."""
        return [*self.broken, *(one for one in self.entries if one.faults)]


def import_modules() -> list[BrokenModule]:
    """Import the ``wamp`` modules of the apps, unless they are imported already. Return those that raise exceptions."""
    broken = []
    for app in apps.get_app_configs():
        module = f"{app.name}.{MODULE}"
        if app.name == OWN_APP or not hasattr(app.module, "__path__") or find_spec(module) is None:
            continue
        try:
            call_guarded(import_module, module)
        except Exception as error:  # the project's code can raise any exception; the other apps must still work
            logger.debug("%s cannot be imported", module, exc_info=error)
            broken.append(BrokenModule(module, error))
    return broken


def discover() -> Discovery:
    """Import the ``wamp`` modules of the apps, and return the checked declarations of this process."""
    broken = import_modules()
    return Discovery([_check(one) for one in REGISTRY.declarations], broken)


def _check(declaration: Declaration) -> DiscoveredHandler:
    try:
        return DiscoveredHandler(declaration, Handler(declaration))
    except UnusableHandler as fault:
        return DiscoveredHandler(declaration, None, fault.faults)
