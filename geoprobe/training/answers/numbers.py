"""Numbers as people and models write them: commas, signs, decimals, fractions, exponents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_DIGITS = r"\d{1,3}(?:,\d{2,3})*,\d{3}(?!\d)|\d+"  # commas between thousands, or lakhs, belong to the number
_DECIMAL = rf"(?:(?:{_DIGITS})(?:\.\d+)?(?:[eE][+-]?\d{{1,3}}(?!\w))?|\.\d+)"
# directly behind a word, a digit or a bracket a minus joins or takes away; elsewhere it is a sign
_SIGN = "(?:(?<![\\w)\\]}.])[-\u2212\u2013](?:[$€£] ?)?)?"
_NUMBER = re.compile(
    rf"(?P<sign>{_SIGN})"
    r"(?:(?P<latex_whole>\d+)? ?\\[dt]?frac ?\{ ?(?P<latex_top>\d+) ?\} ?\{ ?(?P<latex_bottom>\d+) ?\}"
    rf"|(?:(?P<whole>\d+) +)?(?<![\d.,/])(?P<top>{_DECIMAL}) ?[/\u2044] ?(?P<bottom>{_DECIMAL})(?!\d|\.\d| ?[/\u2044=])"
    rf"|(?P<plain>{_DECIMAL}))",
    re.ASCII,
)


def find_numbers(text: str) -> Iterator[float]:
    r"""Every number in a text, in order.

    ``1,234.5``, ``-3``, ``−$3``, ``3/4``, ``1 1/2``, ``½``, ``\frac{3}{4}`` and ``1e-3`` are one number each; the minus
    of ``5-3`` is no sign. A fraction over zero is its two numbers, and so is a division that an ``=`` follows: what it
    comes to is for the text to say.
    """
    for match in _NUMBER.finditer(_spelt(text)):
        sign = -1.0 if match["sign"] else 1.0
        if match["plain"] is not None:
            yield sign * _float(match["plain"])
            continue
        whole = float(match["latex_whole"] or match["whole"] or 0)
        over, under = _float(match["latex_top"] or match["top"]), _float(match["latex_bottom"] or match["bottom"])
        if under == 0:
            yield from (sign * over, under)
        else:
            yield sign * (whole + over / under)


def last_number(text: str) -> float | None:
    """The last number of a text, None without one."""
    last = None
    for number in find_numbers(text):
        last = number
    return last


def canonical(value: float) -> str:
    """A number in the shortest form that reads back as the same: ``18``, ``0.5``."""
    return repr(value + 0.0).removesuffix(".0")  # no negative zero


def _float(digits: str) -> float:
    return float(digits.replace(",", ""))


#: What LaTeX and typesetters put between thousands, and a power of ten written out.
_THOUSANDS = re.compile(
    "(?<![\\d.,])\\d{1,3}(?:(?:\\{[,.]\\}|\\\\[,;:! ]|[\u00a0\u2007\u2009\u202f'\u2019])\\d{3}(?!\\d))+"
    # behind a sign of money a common space does, too
    r"|(?<=[$\u20ac\u00a3])\d{1,3}(?: \d{3}(?!\d))+",
    re.ASCII,
)
_APART = re.compile(r"\D+", re.ASCII)
_POWER_OF_TEN = re.compile(
    r"(?<=\d) ?(?:\\times|\\cdot|\u00d7|\*) ?10 ?\^ ?(?:\{ ?)?([+-]?\d{1,3})(?: ?\})?(?!\d)", re.ASCII
)


def _spelt(text: str) -> str:
    """Vulgar fractions and digits of other scripts in ASCII, thousands with commas, powers of ten with an e."""
    text = text if text.isascii() else "".join(map(_spelt_character, text))
    text = _THOUSANDS.sub(lambda match: _APART.sub(",", match[0]), text)
    return _POWER_OF_TEN.sub(r"e\1", text).replace("\\$", "$")


def _spelt_character(character: str) -> str:
    if character.isascii() or not character.isnumeric():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    plain = unicodedata.normalize("NFKC", character)
    return f" {plain}" if "\u2044" in plain else character
