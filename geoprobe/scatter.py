"""Every token of a vocabulary as a point, packed small enough to stand in a report's JSON and in its page."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Integer, Shaped

from geoprobe.compact import Compact
from geoprobe.errors import BadDataError
from geoprobe.figure import Axis

#: More rows than any vocabulary has: what a report from elsewhere may make a reader allocate is bounded by it.
MAX_POINTS = 4_000_000
#: Coordinates are kept to this many steps between the smallest and the largest: finer than any screen.
_STEPS = 65_535
_LONGEST_TOKEN = 10_000
#: Bytes of all tokens' JSON: a vocabulary of a million tokens of 200 characters each.
_MOST_TEXT = 1 << 28


@dataclass(frozen=True)
class VocabularyScatter(Compact):
    """A scatter of tokens as data.

    The columns are zlib streams in base64, so that a browser's own ``DecompressionStream`` reads them. Where x is
    logarithmic, so are `x_values`; they and `y_values` are n little-endian uint16, steps of 1/65535 of the range, whose
    ends the smallest and the largest stand for (as natural logarithms on a logarithmic axis). `groups` are n uint8,
    which of `group_names`; `rows` n little-endian uint32, the token ids; `tokens` a JSON array of n strings. `x_exact`,
    n little-endian float64, is each point's x to the last digit, also a 0 that a logarithmic axis has drawn elsewhere;
    empty where only the steps are known.
    """

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    n: int
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_values: str
    y_values: str
    group_names: tuple[str, ...]
    groups: str
    rows: str
    tokens: str
    x_exact: str = ""

    def unpack(self) -> UnpackedScatter:
        """The columns as arrays; one that is damaged, or holds another number of points than stated, is an error."""
        if not 0 <= self.n <= MAX_POINTS:
            raise BadDataError(f"The scatter {self.name!r} claims {self.n:,} points.", "Scan the model again.")
        groups = self._column("groups", self.groups, np.dtype("u1")).astype(np.int64)
        if groups.size and groups.max() >= len(self.group_names):
            raise BadDataError(f"The scatter {self.name!r} has a point of no known kind.", "Scan the model again.")
        try:
            # a token of any text is at most six characters of JSON a character
            text = _inflate(self.tokens, min(self.n * (6 * _LONGEST_TOKEN + 4) + 2, _MOST_TEXT))
            tokens = json.loads(text)
        except (ValueError, zlib.error, RecursionError) as error:
            raise self._damaged("tokens", str(error)) from error
        if not isinstance(tokens, list) or len(tokens) != self.n or not all(isinstance(each, str) for each in tokens):
            raise self._damaged("tokens", f"not a list of {self.n:,} strings")
        x = _from_steps(self._column("x_values", self.x_values, np.dtype("<u2")), self.x_range, self.x)
        exact = self._column("x_exact", self.x_exact, np.dtype("<f8")).astype(np.float64) if self.x_exact else x
        if not np.isfinite(exact).all():
            raise self._damaged("x_exact", "a value is not finite")
        return UnpackedScatter(
            x=x,
            x_exact=exact,
            y=_from_steps(self._column("y_values", self.y_values, np.dtype("<u2")), self.y_range, self.y),
            groups=groups,
            rows=self._column("rows", self.rows, np.dtype("<u4")).astype(np.int64),
            tokens=tuple(tokens),
        )

    def _column(self, name: str, packed: str, kind: np.dtype[np.generic]) -> np.ndarray:
        expected = self.n * kind.itemsize
        try:
            raw = _inflate(packed, expected)
        except (ValueError, zlib.error) as error:
            raise self._damaged(name, str(error)) from error
        if len(raw) != expected:
            raise self._damaged(name, f"{len(raw):,} bytes where {expected:,} were expected")
        return np.frombuffer(raw, dtype=kind)

    def _damaged(self, column: str, why: str) -> BadDataError:
        return BadDataError(
            f"The column {column!r} of the scatter {self.name!r} is damaged: {why}.", "Scan the model again."
        )


@dataclass(frozen=True, eq=False)
class UnpackedScatter:
    """The columns of a scatter: (n,) coordinates as drawn, x as it is, kinds, vocabulary rows, and tokens."""

    x: Float64[np.ndarray, " n"]
    x_exact: Float64[np.ndarray, " n"]
    y: Float64[np.ndarray, " n"]
    groups: Integer[np.ndarray, " n"]
    rows: Integer[np.ndarray, " n"]
    tokens: tuple[str, ...]


def pack_scatter(
    name: str,
    *,
    title: str,
    caption: str,
    x: Axis,
    y: Axis,
    x_values: Shaped[np.ndarray, " n"],
    y_values: Shaped[np.ndarray, " n"],
    groups: Integer[np.ndarray, " n"],
    group_names: Sequence[str],
    rows: Integer[np.ndarray, " n"],
    tokens: Sequence[str],
    x_exact: Shaped[np.ndarray, " n"] | None = None,
) -> VocabularyScatter:
    """Pack a scatter.

    Coordinates are finite, and positive where the axis is logarithmic, else ValueError; of a longer token the first
    10,000 characters are kept. `x_exact` is what a reader is told of x, such as counts, 0 among them, that are drawn on
    a logarithmic axis.
    """
    x_range, x_steps = _to_steps(x_values, x)
    y_range, y_steps = _to_steps(y_values, y)
    return VocabularyScatter(
        name=name,
        title=title,
        caption=caption,
        x=x,
        y=y,
        n=len(tokens),
        x_range=x_range,
        y_range=y_range,
        x_values=_deflate(x_steps.tobytes()),
        y_values=_deflate(y_steps.tobytes()),
        group_names=tuple(group_names),
        groups=_deflate(groups.astype("u1").tobytes()),
        rows=_deflate(rows.astype("<u4").tobytes()),
        tokens=_deflate(json.dumps([token[:_LONGEST_TOKEN] for token in tokens], separators=(",", ":")).encode()),
        x_exact="" if x_exact is None else _deflate(x_exact.astype("<f8").tobytes()),
    )


def _to_steps(values: Shaped[np.ndarray, " n"], axis: Axis) -> tuple[tuple[float, float], np.ndarray]:
    wide = np.asarray(values, dtype=np.float64)
    if axis.scale == "log" and not (wide > 0).all():
        raise ValueError(f"{axis.label!r} is logarithmic but holds values that are not positive.")
    placed = np.log(wide) if axis.scale == "log" else wide
    if not np.isfinite(placed).all():
        raise ValueError(f"{axis.label!r} holds values that are not finite.")
    low, high = (float(placed.min()), float(placed.max())) if placed.size else (0.0, 0.0)
    scale = _STEPS / (high - low) if high > low else 0.0
    return (low, high), np.rint((placed - low) * scale).astype("<u2")


def _from_steps(steps: np.ndarray, ends: tuple[float, float], axis: Axis) -> Float64[np.ndarray, " n"]:
    low, high = ends
    if not (math.isfinite(low) and math.isfinite(high)):
        raise BadDataError(f"The range of {axis.label!r} is not finite.", "Scan the model again.")
    placed = low + steps.astype(np.float64) * ((high - low) / _STEPS)
    return np.exp(placed) if axis.scale == "log" else placed


def _deflate(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")


def _inflate(packed: str, limit: int) -> bytes:
    """Decompress, refusing more than `limit` bytes: a small file from elsewhere could claim to be a large one."""
    stream = zlib.decompressobj()
    raw = stream.decompress(base64.b64decode(packed, validate=True), limit + 1)
    if len(raw) > limit:
        raise ValueError(f"more than {limit:,} bytes")
    if not stream.eof:
        raise ValueError("it ends early")
    return raw
