"""What is printed of an object that holds long columns fits a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

_LONGEST_TEXT, _LONGEST_ROW = 60, 4


class Compact:
    """Base of dataclasses whose own representation would be pages long: columns are named by their length."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__repr__" not in cls.__dict__:  # before the dataclass would write one
            cls.__repr__ = cls.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        shown = (f"{field.name}={_short(getattr(self, field.name))}" for field in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(shown)})"


def _short(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]}…")
    if isinstance(value, Sequence | Mapping):
        if len(value) <= _LONGEST_ROW and not any(map(_is_long, value)):
            return repr(value)
        return f"<{len(value):,} {type(next(iter(value))).__name__}>"
    return f"{type(value).__name__}(…)" if is_dataclass(value) else repr(value)


def _is_long(value: object) -> bool:
    return is_dataclass(value) or (isinstance(value, Sequence | Mapping) and not isinstance(value, str))
