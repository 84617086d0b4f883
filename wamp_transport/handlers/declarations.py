"""The decorators that declare handlers, and the registry of declarations. Other modules run the handlers."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, cast, get_args

from ..wamp.uris import component_excess, is_reserved, is_uri

Match = Literal["exact", "prefix", "wildcard"]
Invoke = Literal["single", "first", "last", "roundrobin", "random", "queue_least_loaded"]
Kind = Literal["procedure", "subscriber"]
Target = TypeVar("Target", bound=Callable[..., Any])
"""A function, a method, or a class."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """The declaration of a handler, made by a decorator.

    ``realms`` is None if the handler is for all realms. For a method of a decorated class, ``owner`` is the class and
    ``attribute`` the name of the method.
    """

    kind: Kind
    uri: str
    function: Callable[..., Any]
    owner: type | None = None
    attribute: str = ""
    match: Match = "exact"
    realms: tuple[str, ...] | None = None
    invoke: Invoke | None = None
    concurrency: int | None = None
    permissions: tuple[str, ...] = ()
    each_node: bool = False

    @property
    def name(self) -> str:
        """The module and the name of the function."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @property
    def where(self) -> str:
        """The file and the line of the function."""
        function = inspect.unwrap(self.function)
        code = getattr(function, "__code__", None)
        return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else self.function.__module__

    def faults(self) -> list[str]:
        """Check the arguments of the decorator. Return a description of each error."""
        faults = []
        if self.match not in get_args(Match):
            faults.append(f"match is {self.match!r}, not one of {', '.join(get_args(Match))}")
        elif not is_uri(self.uri, self.match, loose=True):
            faults.append(
                f"{self.uri!r} is not a valid URI{'' if self.match == 'exact' else f' for match={self.match!r}'}"
            )
        elif excess := component_excess(self.uri, self.match):
            faults.append(excess)
        elif self.kind == "procedure" and is_reserved(self.uri):
            faults.append(f"{self.uri!r} begins with 'wamp.', which is reserved for the router")
        if self.invoke is not None and self.invoke not in get_args(Invoke):
            faults.append(f"invoke is {self.invoke!r}, not one of {', '.join(get_args(Invoke))}")
        if self.concurrency is not None and (not isinstance(self.concurrency, int) or self.concurrency < 1):
            faults.append(f"concurrency is {self.concurrency!r}, not a number of at least 1")
        if not isinstance(self.each_node, bool):
            faults.append(f"each_node is {self.each_node!r}, not True or False")
        faults += [
            f"permission {one!r} is not of the form 'app.codename'" for one in self.permissions if "." not in one
        ]
        return faults


class Registry:
    """The declarations of this process, in the order in which they were made."""

    def __init__(self) -> None:
        self.declarations: list[Declaration] = []

    def add(self, declaration: Declaration) -> None:
        """Add a declaration. It replaces an equal declaration from an earlier import of the same module."""
        key = _key(declaration)
        self.declarations = [one for one in self.declarations if _key(one) != key] + [declaration]


def _key(one: Declaration) -> tuple[object, ...]:
    return one.kind, one.uri, one.match, one.realms, one.name


REGISTRY: Final = Registry()
"""The registry to which the decorators add declarations."""


class _Method:
    """A placeholder for a decorated method. It is replaced with the method when the class is created."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.declarers: list[Callable[[type, str], None]] = []

    def __set_name__(self, owner: type, name: str) -> None:
        setattr(owner, name, self.function)
        for declare in self.declarers:
            declare(owner, name)


def register(
    procedure: str,
    *,
    match: Match = "exact",
    invoke: Invoke | None = None,
    concurrency: int | None = None,
    permission: str | Iterable[str] = (),
    realm: str | Iterable[str] | None = None,
) -> Callable[[Target], Target]:
    """Register a function as a procedure, or the public methods of a class as procedures ``<procedure>.<method>``.

    ``invoke`` is the invocation policy if several sessions register the procedure. By default, no other session can
    register it; in a cluster, each node registers it, and prefers itself for the calls of its own clients.
    ``concurrency`` is the maximum number of concurrent calls; the router refuses further calls. ``permission`` is one
    or several Django permissions, such as ``"shop.view_price"``. The calling user must have all of them, unless the
    caller has the role ``trusted``. ``realm`` is one or several realms; by default, the procedure is registered in all
    realms.

    The decorated object is returned unchanged. A class is instantiated without arguments, once in each process.

    See the WAMP specification, Advanced Profile, "Pattern-based Registrations" and "Shared Registration".
    """
    permissions = (permission,) if isinstance(permission, str) else tuple(permission)
    options = {"match": match, "invoke": invoke, "concurrency": concurrency, "permissions": permissions}
    return _decorator("procedure", procedure, realm, options)


def subscribe(
    topic: str,
    *,
    match: Match = "exact",
    concurrency: int = 1,
    each_node: bool = False,
    realm: str | Iterable[str] | None = None,
) -> Callable[[Target], Target]:
    """Subscribe a function to a topic, or the public methods of a class to topics ``<topic>.<method>``.

    By default, events are handled one after the other, in order. Up to ``concurrency`` events are handled at the same
    time. In a cluster, one node handles each event: the one to which the publisher is connected. With ``each_node``,
    all nodes handle all events. ``realm`` is one or several realms; by default, the function is subscribed in all
    realms.

    See the WAMP specification, Advanced Profile, "Pattern-based Subscription".
    """
    options = {"match": match, "concurrency": concurrency, "each_node": each_node}
    return _decorator("subscriber", topic, realm, options)


def _decorator(
    kind: Kind, uri: str, realm: str | Iterable[str] | None, options: dict[str, Any]
) -> Callable[[Target], Target]:
    realms = None if realm is None else (realm,) if isinstance(realm, str) else tuple(realm)

    def declare(function: Callable[..., Any], uri: str, owner: type | None = None, attribute: str = "") -> None:
        REGISTRY.add(Declaration(kind, uri, function, owner, attribute, realms=realms, **options))

    def decorate(target: Target) -> Target:
        if isinstance(target, type):
            for name, member in list(vars(target).items()):
                if not name.startswith("_") and inspect.isfunction(function := _unwrap(member)):
                    declare(function, f"{uri.rstrip('.')}.{name}", target, name)
            return target
        if isinstance(target, _Method) or _is_in_class(_unwrap(target)):
            method = target if isinstance(target, _Method) else _Method(target)
            method.declarers.append(lambda owner, name: declare(_unwrap(method.function), uri, owner, name))
            return cast(Target, method)
        declare(target, uri)
        return target

    return decorate


def _unwrap(member: Any) -> Any:
    return member.__func__ if isinstance(member, staticmethod | classmethod) else member


def _is_in_class(function: Any) -> bool:
    """Return whether a function is being defined in the body of a class."""
    return "." in getattr(function, "__qualname__", "").rpartition("<locals>.")[2]
