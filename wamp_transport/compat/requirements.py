"""Check that a library has the members that this product needs, and describe problems in one sentence."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from types import CodeType
from typing import Any


class IncompatibleLibraryError(RuntimeError):
    """Raised if a library lacks members that this product needs, or if these members are not as expected.

    The message is one sentence.
    """


@dataclass(frozen=True, slots=True)
class Members:
    """The members of a library's class that this product uses.

    ``called`` contains the methods that this product calls, and ``overridden`` those that it overrides. Both map the
    name of a method to its parameters after ``self``, separated by spaces. A called method may have additional
    parameters with defaults. An overridden method must not have them, because the library could pass them.

    ``attributes`` maps the names of class attributes to their types. ``instance`` lists the names of attributes,
    separated by spaces, that the methods of the class set on an instance.
    """

    module: str
    owner: str
    called: Mapping[str, str] = field(default_factory=dict)
    overridden: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, type] = field(default_factory=dict)
    instance: str = ""

    def names(self) -> set[str]:
        """Return the names of all members."""
        return {*self.called, *self.overridden, *self.attributes, *self.instance.split()}

    def problems(self) -> Iterator[str]:
        """Yield a description, without a full stop, of each member that is missing or not as expected."""
        try:
            owner = getattr(import_module(self.module), self.owner)
        except (ImportError, AttributeError):
            yield f"{self.module}.{self.owner} is missing"
            return
        for name, parameters in (*self.called.items(), *self.overridden.items()):
            yield from self._method_problem(owner, name, parameters.split(), is_exact=name in self.overridden)
        for name, kind in self.attributes.items():
            if not hasattr(owner, name):
                yield f"{self._full(name)} is missing"
            elif not isinstance(getattr(owner, name), kind):
                yield f"{self._full(name)} is not of type {kind.__name__}"
        if self.instance:
            known = _names_in_methods(owner)
            for name in self.instance.split():
                if name not in known and not hasattr(owner, name):
                    yield f"{self._full(name)} is missing"

    def _method_problem(self, owner: Any, name: str, wanted: list[str], *, is_exact: bool) -> Iterator[str]:
        method = getattr(owner, name, None)
        if method is None:
            yield f"{self._full(name)} is missing"
        elif not callable(method):
            yield f"{self._full(name)} is not callable"
        else:
            found = list(inspect.signature(method).parameters.values())
            if inspect.isclass(owner) and found:
                found = found[1:]  # self
            names = [each.name for each in found]
            rest = [each for each in found[len(wanted) :] if not _is_optional(each)]
            if names[: len(wanted)] != wanted or rest or (is_exact and len(names) > len(wanted)):
                yield f"{self._full(name)} has the parameters ({', '.join(names)}) instead of ({', '.join(wanted)})"

    def _full(self, name: str) -> str:
        return f"{self.module}.{self.owner}.{name}"


def _is_optional(parameter: inspect.Parameter) -> bool:
    is_variable = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return is_variable or parameter.default is not inspect.Parameter.empty


def _names_in_methods(owner: type) -> set[str]:
    """Return all names that the methods of a class use.

    These include the names of the attributes that the methods set on an instance. The names are read from the code of
    the methods, because an instance cannot be created without a socket or a running reactor.
    """
    codes = [
        code
        for each in owner.__mro__
        for member in vars(each).values()
        if isinstance(code := getattr(member, "__code__", None), CodeType)
    ]
    return {name for code in codes for name in code.co_names}


@dataclass(frozen=True, slots=True)
class Library:
    """A library and its tested versions, from ``oldest`` up to but not including ``below``."""

    name: str
    oldest: str
    below: str

    @property
    def installed(self) -> str:
        """The installed version; empty if the library is not installed."""
        if self.name == "Python":
            return python_version()
        try:
            return version(self.name)
        except PackageNotFoundError:
            return ""

    @property
    def is_tested(self) -> bool:
        """Whether the installed version is one of the tested versions. Also True if the library is not installed."""
        installed = self.installed
        return not installed or release(self.oldest) <= release(installed) < release(self.below)

    @property
    def requirement(self) -> str:
        """The tested versions as a requirement specifier for pip."""
        return f"{self.name}>={self.oldest},<{self.below}"

    def problem(self, members: Iterable[Members]) -> str:
        """Return one sentence that describes all problems with ``members``; an empty string if there are none."""
        faults = [fault for each in members for fault in each.problems()]
        return self.sentence(faults) if faults else ""

    def require(self, members: Iterable[Members]) -> None:
        """Raise IncompatibleLibraryError if the library lacks any of ``members``, or has them in another form."""
        if problem := self.problem(members):
            raise IncompatibleLibraryError(problem)

    @contextmanager
    def imports(self) -> Iterator[None]:
        """Convert an ImportError in the block to an IncompatibleLibraryError."""
        try:
            yield
        except ImportError as error:
            raise IncompatibleLibraryError(self.sentence([str(error)])) from error

    def sentence(self, faults: Iterable[str]) -> str:
        """Return one sentence with the installed version, the problems ``faults``, and advice on how to fix them."""
        return (
            f"wampnode cannot serve with {self.name} {self.installed or '(no version found)'}: {', '.join(faults)}; "
            f"install a tested version ('{self.requirement}') or upgrade wampnode."
        )


def release(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, such as (4, 2) for ``4.2.rc1``."""
    numbers: list[int] = []
    for part in text.split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
