"""Check whether this process can run a node with the installed versions of other libraries."""

from collections.abc import Iterator
from importlib import import_module
from typing import Final

from . import asgiref, asyncio
from .requirements import IncompatibleLibraryError

SERVER_MODULES: Final = ("twisted", "autobahn", "daphne")
"""The modules of this package that only this product's own server needs.

Importing one of them raises IncompatibleLibraryError if its library cannot be used.
"""


def find_problems(*, with_server: bool) -> Iterator[str]:
    """Yield one sentence for each library that cannot be used.

    If ``with_server`` is true, also check the libraries of this product's own server. This installs Daphne's reactor.
    """
    yield from (problem for problem in (asyncio.PROBLEM, asgiref.PROBLEM) if problem)
    for name in SERVER_MODULES if with_server else ():
        try:
            import_module(f".{name}", __package__)
        except IncompatibleLibraryError as error:
            yield str(error)
            return  # the following modules depend on this one


def require_compatible(*, with_server: bool) -> None:
    """Raise IncompatibleLibraryError if a library cannot be used. See :func:`find_problems` for ``with_server``."""
    for problem in find_problems(with_server=with_server):
        raise IncompatibleLibraryError(problem)
