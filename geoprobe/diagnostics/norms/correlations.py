"""Coefficients of frequency and norm, all of them on the data and on each resample of documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.norms.token_traits import TOKEN_ID, token_traits
from geoprobe.stats.correlation import codes_of, correlation_matrix, fisher_interval, partial_correlation
from geoprobe.stats.document_bootstrap import around, document_bootstrap
from geoprobe.stats.rank_kernels import ranks_within, tau_b

__all__ = [
    "HEAD",
    "HELD",
    "KENDALL",
    "MIN_SEEN",
    "PEARSON",
    "SEEN",
    "SPEARMAN",
    "Association",
    "Associations",
    "Confound",
    "associate",
]

MIN_SEEN = 50
MIN_DOCUMENTS = 20
HEAD_THRESHOLDS = (10, 100, 1_000)
SPEARMAN, KENDALL, PEARSON = "Spearman's ρ", "Kendall's τ-b", "Pearson's r with log frequency"
SEEN, WHOLE, HELD = "all seen tokens", "whole vocabulary, frequency plus one", "traits of the text held"
HEAD = "tokens seen at least"
BY_DOCUMENTS = "standard error over resampled documents"
BY_TOKENS = "Fisher's z, tokens taken as independent"
_FISHER = {SPEARMAN: "spearman", KENDALL: "kendall", PEARSON: "pearson"}


@dataclass(frozen=True)
class Association:
    """One coefficient of frequency and norm, over `n` tokens; no interval where none is known."""

    name: str
    coefficient: str
    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Confound:
    """A trait of tokens: its rank correlation with frequency and with norm, and the partial ρ with it held."""

    trait: str
    with_frequency: float
    with_norm: float | None
    held: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Associations:
    """All coefficients, that of all seen tokens first, and how their intervals were made."""

    coefficients: tuple[Association, ...]
    confounds: tuple[Confound, ...]
    distances: tuple[Association, ...]
    method: str


class _Statistics:
    """Every coefficient as a function of counts; what does not depend on them is prepared once."""

    def __init__(
        self, inputs: ScanInputs, norms: Float64[np.ndarray, " v"], others: dict[str, Float64[np.ndarray, " v"]]
    ) -> None:
        table = inputs.embedding
        self.rows = np.flatnonzero(table.named & np.isfinite(norms))
        self.norms = norms[self.rows]
        self.others = tuple(others)
        seen = inputs.counts[self.rows] > 0  # no resample has others
        self.traits, known = token_traits(table, self.rows[seen])
        values = np.zeros((self.rows.size, len(self.traits)))
        values[seen] = known
        columns = [self.norms, *(other[self.rows] for other in others.values()), *values.T]
        # rows that a second matrix spoils have no place in its order: they get the middle one
        self.codes = [_codes(np.where(np.isfinite(c), c, np.median(c[np.isfinite(c)]))) for c in map(_some, columns)]
        self.first_trait = 2 + len(others)
        # the id is the order of merges, frequency in the tokenizer's own training text: to hold it is to hold what
        # is asked
        self.written = [self.first_trait + i for i, name in enumerate(self.traits) if name != TOKEN_ID]
        self.names = [
            (SEEN, SPEARMAN),
            (HELD, SPEARMAN),
            (WHOLE, SPEARMAN),
            (SEEN, KENDALL),
            (WHOLE, KENDALL),
            (SEEN, PEARSON),
            (WHOLE, PEARSON),
        ]

    def __call__(self, counts: Int64[np.ndarray, " v"]) -> Float64[np.ndarray, " s"]:
        """Coefficients in the order of `names`, then of the other distances, then partial ones trait by trait."""
        all_counts = counts[self.rows]
        seen = np.flatnonzero(all_counts)
        if seen.size < 3:
            return np.full(len(self.names) + len(self.others) + len(self.traits), np.nan)
        codes, distinct = codes_of(all_counts)
        levels, (norm_codes, norm_levels) = distinct.size, self.codes[0]
        matrix = self.matrix(codes, levels, seen)
        whole = np.stack([ranks_within(codes, levels), ranks_within(norm_codes, norm_levels)])
        log, log_plus_one = np.log(np.maximum(distinct, 1))[codes[seen]], np.log1p(distinct)[codes]
        traits = range(self.first_trait, matrix.shape[0])
        found = [
            _off_diagonal(matrix, 1),
            partial_correlation(matrix, 0, 1, self.written),
            _off_diagonal(correlation_matrix(whole), 1),
            tau_b(codes[seen], levels, norm_codes[seen], norm_levels),
            tau_b(codes, levels, norm_codes, norm_levels),
            _off_diagonal(correlation_matrix(np.stack([log, self.norms[seen]])), 1),
            _off_diagonal(correlation_matrix(np.stack([log_plus_one, self.norms])), 1),
            *(_off_diagonal(matrix, 2 + other) for other in range(len(self.others))),
            *(partial_correlation(matrix, 0, 1, [trait]) for trait in traits),
        ]
        return np.array(found, dtype=np.float64)

    def matrix(
        self, codes: Int64[np.ndarray, " r"], levels: int, seen: Int64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, "c c"]:
        """Rank correlations of coded frequency, norm, other distances and traits over the seen tokens."""
        pairs = [(codes, levels), *self.codes]
        return correlation_matrix(np.stack([ranks_within(column[seen], extent) for column, extent in pairs]))


def associate(
    inputs: ScanInputs,
    norms: Float64[np.ndarray, " v"],
    others: dict[str, Float64[np.ndarray, " v"]],
    *,
    bootstrap: int,
    rng: np.random.Generator,
) -> Associations:
    """Every coefficient with its interval.

    Parameters
    ----------
    inputs : ScanInputs
        Counts, documents and tokens.
    norms : array of float
        (V,) NaN where a row is not finite.
    others : dict of str to array of float
        (V,) other distances that frequency may go with.
    bootstrap : int
        Resamples of documents.
    rng : numpy.random.Generator
        Source of randomness.
    """
    statistics = _Statistics(inputs, norms, others)
    values = statistics(inputs.counts)
    counts = inputs.counts[statistics.rows]
    seen = np.flatnonzero(counts)
    sizes = [counts.size if name == WHOLE else seen.size for name, _ in statistics.names]
    documents, drawn = inputs.documents, None
    if documents is not None and len(documents) >= MIN_DOCUMENTS:
        drawn = document_bootstrap(documents.ids, documents.starts, inputs.counts.size, statistics, bootstrap, rng)

    def ends(place: int, coefficient: str, n: int, held: int) -> tuple[float | None, float | None]:
        if drawn is not None:
            return _known(around(float(values[place]), drawn[:, place]))
        return _known(fisher_interval(float(values[place]), n, _FISHER[coefficient], held=held))

    found = []
    for place, ((name, coefficient), n) in enumerate(zip(statistics.names, sizes, strict=True)):
        held = len(statistics.written) if name == HELD else 0
        found.append(Association(name, coefficient, float(values[place]), *ends(place, coefficient, n, held), n))
    first = len(statistics.names)
    distances = [
        Association(name, SPEARMAN, float(values[place]), *ends(place, SPEARMAN, seen.size, 0), seen.size)
        for place, name in enumerate(statistics.others, start=first)
    ]
    codes, distinct = codes_of(counts)
    matrix, confounds = statistics.matrix(codes, distinct.size, seen), []
    for trait, name in enumerate(statistics.traits):
        column, place = statistics.first_trait + trait, first + len(statistics.others) + trait
        if matrix[column, column] > 0:
            value = float(values[place])
            confounds.append(
                Confound(
                    name,
                    float(matrix[0, column]),
                    float(matrix[1, column]),
                    value if np.isfinite(value) else None,
                    *ends(place, SPEARMAN, seen.size, 1),
                )
            )
    return Associations(
        tuple(each for each in [found[0], found[1], *_head(counts, statistics.norms), *found[2:]] if _exists(each)),
        tuple(confounds),
        tuple(each for each in distances if _exists(each)),
        BY_TOKENS if drawn is None else BY_DOCUMENTS,
    )


def _head(counts: Int64[np.ndarray, " r"], norms: Float64[np.ndarray, " r"]) -> list[Association]:
    """ρ among ever more frequent tokens: few, so that chance over tokens, not over documents, is what matters."""
    from geoprobe.stats.correlation import spearman

    found = []
    for least in HEAD_THRESHOLDS:
        frequent = counts >= least
        if frequent.sum() >= MIN_SEEN:
            one = spearman(counts[frequent], norms[frequent])
            found.append(Association(f"{HEAD} {least:,} times", SPEARMAN, one.value, one.low, one.high, one.n))
    return found


def _exists(association: Association) -> bool:
    return bool(np.isfinite(association.value))


def _known(ends: tuple[float, float]) -> tuple[float | None, float | None]:
    low, high = ends
    return (low, high) if np.isfinite(low) and np.isfinite(high) else (None, None)


def _off_diagonal(matrix: Float64[np.ndarray, "c c"], column: int) -> float:
    known = matrix[0, 0] > 0 and matrix[column, column] > 0
    return max(-1.0, min(1.0, float(matrix[0, column]))) if known else float("nan")


def _codes(column: Float64[np.ndarray, " r"]) -> tuple[Int64[np.ndarray, " r"], int]:
    codes, distinct = codes_of(column)
    return codes, distinct.size


def _some(column: Float64[np.ndarray, " r"]) -> Float64[np.ndarray, " r"]:
    """The column, or zeros where none of it is finite."""
    return column if np.isfinite(column).any() else np.zeros_like(column)
