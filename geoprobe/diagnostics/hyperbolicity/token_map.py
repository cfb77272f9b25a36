"""Frequent words in the hyperbolic plane and in the flat one: what curvature saves, beside what it saves of a null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.points import vectors_of
from geoprobe.figure import Axis, Figure, Labels, Layer, Line, Points, floats
from geoprobe.results import number
from geoprobe.stats.hyperbolicity import stress_of_points
from geoprobe.word_map import Places, WordMap

#: Words shown, at most and at least; the time of a fit grows with their square.
_MOST, _FEWEST = 40, 8
#: Draws of the null.
_DRAWS = 4
#: Words that a still picture has room to name.
_NAMED = 18
_LETTERS = 3
#: Characters of a word, as labels stand side by side.
_LONGEST = 24
#: Radii from the middle at which a word is drawn at most: what is further is on the rim to any eye, and to any drag.
_FARTHEST = 20.0


@dataclass(frozen=True)
class TokenMap:
    """Words with their places in both planes, fitted to the distances of their embeddings.

    The most frequent come first; the disk is Poincaré's of radius 1, and in the plane the largest distance of the
    embeddings is 1. Stress is Kruskal's, and of the null the mean over draws that keep covariance and norms.
    """

    tokens: tuple[str, ...]
    disk: Places
    plane: Places
    disk_stress: float
    plane_stress: float
    null_disk_stress: float
    null_plane_stress: float


def map_tokens(inputs: ScanInputs, usable: Int64[np.ndarray, " u"], rng: np.random.Generator) -> TokenMap | None:
    """Place the most frequent words; None where there are too few, or all lie in one place."""
    rows = _words(inputs, usable)
    points = vectors_of(inputs, rows)
    if len(rows) < _FEWEST or not np.ptp(points, axis=0).any():
        return None
    fitted = stress_of_points(points - points.mean(axis=0), 2, replicates=_DRAWS, rng=rng)
    null = fitted.null.mean(axis=0)
    return TokenMap(
        tuple(_short(inputs.embedding.tokens[row].strip()) for row in rows.tolist()),
        _pairs(in_disk(fitted.hyperbolic.points, fitted.hyperbolic.curvature)),
        _pairs(fitted.euclidean.points / np.abs(fitted.euclidean.points).max()),
        fitted.hyperbolic.stress,
        fitted.euclidean.stress,
        float(null[1]),
        float(null[0]),
    )


def _short(word: str) -> str:
    return word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…"


def in_disk(tangents: Float64[np.ndarray, "n 2"], curvature: float) -> Float64[np.ndarray, "n 2"]:
    """Vectors at the origin of the plane of a curvature at most 0 as points of the Poincaré disk of radius 1."""
    lengths = np.linalg.norm(tangents, axis=1) * np.sqrt(-curvature)
    if curvature == 0:  # flat: the disk is the plane around its middle
        lengths = np.linalg.norm(tangents, axis=1) / max(np.linalg.norm(tangents, axis=1).max(), 1e-300)
    directions = tangents / np.maximum(np.linalg.norm(tangents, axis=1), 1e-300)[:, None]
    placed: Float64[np.ndarray, "n 2"] = directions * np.tanh(np.minimum(lengths, _FARTHEST) / 2)[:, None]
    return placed


def _words(inputs: ScanInputs, usable: Int64[np.ndarray, " u"]) -> Int64[np.ndarray, " n"]:
    """Rows of the most frequent tokens that are words, each word once; where there are few, of any tokens seen."""
    seen = usable[inputs.counts[usable] > 0]
    order = seen[np.argsort(-inputs.counts[seen], kind="stable")]
    chosen: dict[str, int] = {}
    for row in order.tolist():
        word = inputs.embedding.tokens[row].strip()
        if word.isalpha() and len(word) >= _LETTERS:
            chosen.setdefault(word.lower(), row)
        if len(chosen) == _MOST:
            break
    return np.array(list(chosen.values()) if len(chosen) >= _FEWEST else order[:_MOST], dtype=np.int64)


def _pairs(points: Float64[np.ndarray, "n 2"]) -> Places:
    return tuple((float(x), float(y)) for x, y in np.round(points, 10))


def word_map(shown: TokenMap) -> WordMap:
    """The map as a page draws it."""
    saved, null = (
        1 - curved / flat if flat else 0.0
        for curved, flat in (
            (shown.disk_stress, shown.plane_stress),
            (shown.null_disk_stress, shown.null_plane_stress),
        )
    )
    caption = (
        f"The {len(shown.tokens)} most frequent words, placed so that distances come near those of their embeddings. "
        f"The hyperbolic plane has more room and saves {saved:.0%} of the flat one's error; of draws with the same "
        f"covariance and norms, and no other structure, it saves {null:.0%}: only what is beyond that is not mere "
        "room. In the disk, straight lines are arcs, and the rim is infinitely far away."
    )
    return WordMap(
        "Frequent words in the hyperbolic plane and in the flat one",
        caption,
        shown.tokens,
        shown.disk,
        shown.plane,
        f"stress {number(shown.disk_stress)}, of the null's draws {number(shown.null_disk_stress)}",
        f"stress {number(shown.plane_stress)}, of the null's draws {number(shown.null_plane_stress)}",
        map_figures(shown),
    )


def map_figures(shown: TokenMap) -> tuple[Figure, Figure]:
    """Both planes as still pictures, the most frequent words named."""
    turn = np.linspace(0, 2 * np.pi, 181)
    rim = Line(floats(np.cos(turn)), floats(np.sin(turn)), "", "muted")
    curved = (shown.disk_stress, shown.null_disk_stress)
    flat = (shown.plane_stress, shown.null_plane_stress)
    return (
        _still("map-disk", "hyperbolic", shown.tokens, shown.disk, curved, (rim,)),
        _still("map-plane", "flat", shown.tokens, shown.plane, flat),
    )


def _still(
    name: str,
    plane: str,
    tokens: tuple[str, ...],
    places: Places,
    stresses: tuple[float, float],
    under: tuple[Layer, ...] = (),
) -> Figure:
    """One plane with its stress and that of the null's draws; `under` is drawn first."""
    x, y = floats(x for x, _ in places), floats(y for _, y in places)
    around = Axis("", limits=(-1.05, 1.05), ticks=())
    stress, null = map(number, stresses)
    return Figure(
        name,
        f"Frequent words in the {plane} plane",
        f"The most frequent words, {_NAMED} of them named, placed so that distances come near those of their "
        f"embeddings. Kruskal's stress is {stress}; of draws that keep covariance and norms {null}.",
        around,
        around,
        (*under, Points(x, y, "", "data", 4.0), Labels(x[:_NAMED], y[:_NAMED], tokens[:_NAMED], "", "ink")),
        aspect=1.0,
    )
