"""What geoprobe raises, and the exit code of each.

::

    GeoprobeError            1  anything else that geoprobe can explain
    ├── UsageError           2  an option or argument that makes no sense
    ├── NotFoundError        3  a model, file, tensor or package that is not there
    ├── AccessError          4  there, but not for you: gated, private, not readable
    └── BadDataError         5  a file whose content is not what it should be

Every message names the thing, gives its value and says what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import ClassVar

# the tree alone; `is_failure` serves those who catch what is not of it, `meant` and `some_of` those who raise
__all__ = ["AccessError", "BadDataError", "GeoprobeError", "NotFoundError", "UsageError"]


class GeoprobeError(Exception):
    """Base of every error that geoprobe raises on purpose.

    Parameters
    ----------
    message : str
        What is wrong: the thing and its value.
    hint : str, optional
        What to do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[GeoprobeError], tuple[str, str]]:
        return type(self), (self.message, self.hint)  # a worker's error reads the same here


class UsageError(GeoprobeError, ValueError):
    """An option or an argument that makes no sense."""

    exit_code = 2


class NotFoundError(GeoprobeError, LookupError):
    """A model, file, tensor, field or package that is not there."""

    exit_code = 3


class AccessError(GeoprobeError, PermissionError):
    """Something that exists and may not be read: gated, private or without permission."""

    exit_code = 4


class BadDataError(GeoprobeError, ValueError):
    """A file whose content is not what its name or header says."""

    exit_code = 5


def meant(name: str, known: Iterable[str]) -> str:
    """The beginning of a hint that names what is nearest to a name with a slip in it; empty where nothing is near."""
    near = get_close_matches(name.strip().lower(), list(known), 1)
    return f"Is {near[0]} meant? " if near else ""


def some_of(names: Sequence[str], limit: int) -> str:
    """The first of some names, and how many more there are; none is said so."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit:,} more" if len(names) > limit else "") or "none"


def is_failure(error: BaseException) -> bool:
    """Whether something went wrong, and nobody asked to end: a panic of a Rust extension is no `Exception`."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
