"""Rows that look hardly trained or unused, with the evidence for each, after Land and Bartolo (2024).

Land and Bartolo, *Fishing for Magikarp*, EMNLP 2024, arXiv 2405.05417, rank tokens of untied models by the norm of the
input embedding, and those of tied ones by the cosine distance of the output row from the mean of rows known to be
unused, the first principal component removed. Both are shown wherever they exist. They confirm candidates by
prompting, which needs the model and is not done here. Of two ways in which rows betray themselves, equal rows are an
addition: two tokens whose rows were ever trained apart are not equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from geoprobe.compact import Compact
from geoprobe.data import EmbeddingTable
from geoprobe.diagnostics.norms.distances import RowGeometry, row_geometry
from geoprobe.diagnostics.norms.token_traits import byte_values
from geoprobe.results import Table
from geoprobe.stats.duplicates import equal_rows, nearest_cosines

#: Robust z-scores beyond which a row's norm or direction is an outlier.
_NORM_Z, _DIRECTION_Z = 6.0, 6.0
#: Rows among which near-duplicates are sought: those of all pairs of a vocabulary would take hours.
_CANDIDATES = 2048
_NEAR = 0.99
LISTED = 100
#: Bytes that no UTF-8 text holds.
_NEVER_IN_UTF8 = frozenset({0xC0, 0xC1, *range(0xF5, 0x100)})
_RESERVED = re.compile(r"unused|reserved|placeholder\d", re.IGNORECASE)


@dataclass(frozen=True)
class UndertrainedToken:
    """A row with the evidence against it.

    It is a ``token``, ``byte token``, ``special token``, ``reserved token`` or ``no token``. `distance` is the cosine
    distance from rows known to be unused; both z are in robust standard deviations from the median. The evidence is in
    words.
    """

    row: int
    token: str
    kind: str
    occurrences: int
    norm: float | None
    norm_z: float | None
    distance: float | None
    distance_z: float | None
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class UndertrainedTokens(Compact):
    """What is unusual in a table, counted over all of it and listed as far as `LISTED` goes.

    `counts` says how many rows, by kind of evidence, `listed` has the most unusual first, and `n` is all with evidence.
    `references` are the rows known to be unused, whose mean direction is the reference, in the directions of `matrix`.
    """

    counts: tuple[tuple[str, int], ...]
    listed: tuple[UndertrainedToken, ...]
    n: int
    references: int
    matrix: str


def known_unused(table: EmbeddingTable, equal: list[Int64[np.ndarray, " _"]]) -> Int64[np.ndarray, " r"]:
    """Rows that cannot have been trained by any text.

    They are rows of no token, of bytes that no UTF-8 holds, of tokens called reserved or unused, and rows that are
    equal to others.
    """
    unused = np.array([_needless(token) for token in table.tokens], dtype=np.bool_)
    for group in equal:
        unused[group] = True
    return np.flatnonzero(unused)


def _needless(token: str) -> bool:
    """Whether a token, by its text alone, is in no text."""
    named = byte_values(token)
    impossible = len(named) == 1 and len(token) <= len("<0x00>") and named[0] in _NEVER_IN_UTF8
    return not token or impossible or _reserved(token)


def _reserved(token: str) -> bool:
    return token[:1] in {"<", "["} and _RESERVED.search(token) is not None


@dataclass(frozen=True, eq=False)
class Survey:
    """A table looked through row by row.

    `there` is the output matrix, where it is another one; `flagged` rows have evidence, `equal` ones equal another.
    """

    undertrained: UndertrainedTokens
    here: RowGeometry
    there: RowGeometry | None
    flagged: Bool[np.ndarray, " v"]
    equal: Bool[np.ndarray, " v"]


def survey(table: EmbeddingTable, counts: Int64[np.ndarray, " v"]) -> Survey:
    """Look a table through; `counts` (V,) are occurrences in the corpora."""
    statistics = table.row_statistics
    equal = equal_rows(statistics.norms, table.vectors.take)
    read = table.rows_at_hand
    unused = known_unused(table, equal)
    unused = unused[read[unused]]
    here, there = row_geometry(table.vectors, statistics, unused), None
    if table.output is not None and table.output_statistics is not None:
        outside = unused[unused < table.output.shape[0]]
        there = row_geometry(table.output, table.output_statistics, outside)
    distance = _rows(here.from_unused if there is None else there.from_unused, table.size)
    norm_z, distance_z = _robust_z(here.norms), _robust_z(distance)
    evidence: dict[str, Bool[np.ndarray, " v"]] = {
        # of a sample, rows that were not read have no values either
        "NaN or infinite": read & ~statistics.finite,
        "zeros throughout": statistics.zero,
        "direction of unused rows": distance_z < -_DIRECTION_Z,
        "small norm": (norm_z < -_NORM_Z) & ~statistics.zero,
        "large norm": norm_z > _NORM_Z,
    }
    twins: dict[int, str] = {}
    for group in equal:
        for place, row in enumerate(group.tolist()):
            other = int(group[place - 1 if place else 1])
            twins[row] = f"equal to row {other}" + (f", {len(group)} rows in all" if len(group) > 2 else "")
    evidence["equal to another row"] = _at(list(twins), table.size)
    # near-duplicates among the most unusual, since those of all pairs would take hours
    unusual = np.fmin(distance_z, -np.abs(norm_z))
    usable = np.flatnonzero(statistics.finite & ~statistics.zero & ~evidence["equal to another row"])
    candidates = usable[np.argsort(unusual[usable], kind="stable")[:_CANDIDATES]]
    nearest, cosines = nearest_cosines(table.vectors.take(candidates))
    close = np.flatnonzero(cosines >= _NEAR)
    for i in close:
        twins[int(candidates[i])] = f"cosine {cosines[i]:.3f} with row {int(candidates[nearest[i]])}"
    evidence["nearly equal to another row"] = _at(candidates[close].tolist(), table.size)
    flagged = np.logical_or.reduce(list(evidence.values()))
    order = np.flatnonzero(flagged)
    rank = np.where(evidence["NaN or infinite"] | statistics.zero, -np.inf, np.nan_to_num(unusual))
    # rows that must be unused by their names say the least: they come last
    needless = np.array([_needless(table.tokens[row]) and np.isfinite(rank[row]) for row in order], dtype=np.bool_)
    order = order[np.lexsort((rank[order], needless))][:LISTED]
    listed = tuple(
        UndertrainedToken(
            int(row),
            table.tokens[row],
            _kind(table, int(row)),
            int(counts[row]),
            _number(here.norms[row]),
            _number(norm_z[row]),
            _number(distance[row]),
            _number(distance_z[row]),
            (
                *(name for name, mask in evidence.items() if mask[row] and "equal" not in name),
                *((twins[int(row)],) if int(row) in twins else ()),
            ),
        )
        for row in order
    )
    undertrained = UndertrainedTokens(
        counts=tuple((name, int(mask.sum())) for name, mask in evidence.items()),
        listed=listed,
        n=int(flagged.sum()),
        references=int(unused.size),
        matrix="input embedding" if there is None else "output matrix",
    )
    return Survey(undertrained, here, there, flagged, evidence["equal to another row"])


def _rows(values: Float64[np.ndarray, " w"] | None, size: int) -> Float64[np.ndarray, " v"]:
    """Values of as many rows as the table has: an output matrix may have more or fewer."""
    fitted = np.full(size, np.nan)
    if values is not None:
        taken = min(size, values.size)
        fitted[:taken] = values[:taken]
    return fitted


def _at(rows: list[int], size: int) -> Bool[np.ndarray, " v"]:
    mask = np.zeros(size, dtype=np.bool_)
    mask[rows] = True
    return mask


def _robust_z(values: Float64[np.ndarray, " v"]) -> Float64[np.ndarray, " v"]:
    """Distance from the median in median absolute deviations, scaled to standard deviations; NaN where those are 0."""
    known = values[np.isfinite(values)]
    if known.size == 0:
        return np.full(values.size, np.nan)
    middle = np.median(known)
    spread = 1.4826 * np.median(np.abs(known - middle))
    return (
        np.where(np.isfinite(values), (values - middle) / spread, np.nan)
        if spread > 0
        else np.full(values.size, np.nan)
    )


def _kind(table: EmbeddingTable, row: int) -> str:
    token = table.tokens[row]
    if not token:
        return "no token"
    if _reserved(token):
        return "reserved token"
    if table.special[row]:
        return "special token"
    return "byte token" if byte_values(token) else "token"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def undertrained_table(tokens: UndertrainedTokens) -> Table:
    """The listed rows as a table of a report."""
    more = f" The first {LISTED} of {tokens.n:,} are listed." if tokens.n > len(tokens.listed) else ""
    reference = (
        f"Direction is that of the {tokens.matrix}, beside {tokens.references:,} rows known to be unused."
        if tokens.references
        else "No row is known to be unused, so there is no direction to compare with."
    )
    return Table(
        "unusual",
        "Rows that look hardly trained or unused",
        ("row", "token", "kind", "seen", "norm", "z", "from unused", "z", "evidence"),
        tuple(
            (r.row, r.token, r.kind, r.occurrences, r.norm, r.norm_z, r.distance, r.distance_z, "; ".join(r.evidence))
            for r in tokens.listed
        ),
        f"{reference} z is in robust standard deviations from the median. Near-duplicates (cosine of at least {_NEAR}) "
        f"are sought among the {_CANDIDATES:,} most unusual rows only, equal rows in the whole table.{more}",
    )
