"""Which characters the PDF's fonts can draw; what they cannot is shown by its escape as well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

__all__ = ["font_folders", "legible"]

#: Distributions of fonts under the Open Font License that are used where installed (extra ``fonts``).
_FONT_PACKAGES = ("noto_cjk_sans_jp_regular",)


def font_folders() -> list[str]:
    """Where typst looks for fonts: matplotlib's own, which figures are drawn with, and installed packages."""
    import matplotlib

    folders = [str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")]
    for name in _FONT_PACKAGES:
        found = find_spec(name)
        if found is not None and found.origin is not None:
            folders.append(str(Path(found.origin).parent))
    return folders


def legible(value: Any) -> Any:
    r"""Every string in tuples, lists, mappings and dataclasses, with ``[\u{e44}]`` after what no font here has."""
    if isinstance(value, str):
        return value if value.isascii() else _spelled(value)
    if isinstance(value, Mapping):
        return {name: legible(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(legible(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: legible(getattr(value, field.name)) for field in fields(value)})
    return value


def _spelled(text: str) -> str:
    known = _known()
    parts = []
    for has, run in groupby(text, key=lambda character: ord(character) in known):
        joined = "".join(run)
        parts.append(joined if has else joined + "[" + "".join(f"\\u{{{ord(each):x}}}" for each in joined) + "]")
    return "".join(parts)


@lru_cache(maxsize=1)
def _known() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    wanted = [Path(font_folders()[0]) / "DejaVuSans.ttf"]
    for folder in font_folders()[1:]:
        wanted += sorted(Path(folder).glob("*.[ot]tf"))
    return frozenset(code for path in wanted for code in FT2Font(str(path)).get_charmap())
