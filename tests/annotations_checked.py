"""How annotations are checked in tests: an int is a float, as in PEP 484."""

import inspect
from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

__all__ = ["checked"]

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))
_made: dict[tuple[str, str, str], Callable[..., Any]] = {}


def checked(stub: Callable[..., Any]) -> Callable[..., Any]:
    """A check of what jaxtyping gives: a function that does nothing, with the signature of the one that is checked.

    A function within a function is decorated whenever the outer one is called, and making its check takes milliseconds:
    so it is made once for each name and signature.
    """
    key = (stub.__module__, stub.__qualname__, str(inspect.signature(stub)))
    if key not in _made:
        _made[key] = _check(stub)
    return _made[key]
