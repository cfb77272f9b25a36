"""Coefficients of frequency and norm, all of them on the data and on each resample of documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.norms.token_traits import TOKEN_ID, token_traits
from geoprobe.figure import Axis, Figure, Forest, Rule
from geoprobe.results import Table, key_of
from geoprobe.stats.correlation import codes_of, correlation_matrix, fisher_interval, partial_correlation, spearman
from geoprobe.stats.document_bootstrap import document_bootstrap, occurrence_bootstrap, variance_between_documents
from geoprobe.stats.rank_kernels import ranks_within, tau_b
from geoprobe.stats.subjects import spearman_influence, subject_effect, subjects_of

MIN_SEEN = 50
_MIN_DOCUMENTS = 20
_HEAD_THRESHOLDS = (10, 100, 1_000)
SPEARMAN, KENDALL, PEARSON = "Spearman's ρ", "Kendall's τ-b", "Pearson's r with log frequency"
SEEN, WHOLE, CONTROLLED = "all seen tokens", "whole vocabulary, frequency plus one", "traits of the text held"
HEAD = "tokens seen at least"
BY_DOCUMENTS = "two-way: types, those of one subject together, and documents"
_BY_TOKENS = "Fisher's z, tokens taken as independent"
_KEYS = {
    SPEARMAN: "spearman rho",
    KENDALL: "kendall tau b",
    PEARSON: "pearson r log",
    SEEN: "",
    WHOLE: "whole vocabulary",
    CONTROLLED: "traits controlled",
}
_FISHER = {SPEARMAN: "spearman", KENDALL: "kendall", PEARSON: "pearson"}


@dataclass(frozen=True)
class Correlation:
    """One coefficient of frequency and norm, over `n` tokens; no interval where none is known."""

    name: str
    coefficient: str
    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def key(self) -> str:
        """What code calls it: ``spearman_rho``, ``spearman_rho_seen_100``."""
        of = _KEYS.get(self.name, self.name.replace(HEAD, "seen").removesuffix(" times").replace(",", ""))
        return key_of(f"{_KEYS.get(self.coefficient, self.coefficient)} {of}")


@dataclass(frozen=True)
class Confound:
    """A trait of tokens: its rank correlation with frequency and with norm, and the partial ρ controlling for it."""

    trait: str
    with_frequency: float
    with_norm: float | None
    held: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Correlations:
    """All coefficients, that of all seen tokens first, and how their intervals were made."""

    coefficients: tuple[Correlation, ...]
    confounds: tuple[Confound, ...]
    distances: tuple[Correlation, ...]
    method: str
    #: Factor on the variance that types of one subject have.
    effect: float = 1.0


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
        self.by_norm = np.argsort(self.codes[0][0], kind="stable")
        # the id is the order of merges, frequency in the tokenizer's own training text: to control for it is to
        # control for what is asked
        self.written = [self.first_trait + i for i, name in enumerate(self.traits) if name != TOKEN_ID]
        self.names = [
            (SEEN, SPEARMAN),
            (CONTROLLED, SPEARMAN),
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
        coefficients = [
            _off_diagonal(matrix, 1),
            partial_correlation(matrix, 0, 1, self.written),
            _off_diagonal(correlation_matrix(whole), 1),
            *(
                tau_b(codes[rows], levels, norm_codes[rows], norm_levels)
                for rows in (self.by_norm[all_counts[self.by_norm] > 0], self.by_norm)
            ),
            _off_diagonal(correlation_matrix(np.stack([log, self.norms[seen]])), 1),
            _off_diagonal(correlation_matrix(np.stack([log_plus_one, self.norms])), 1),
            *(_off_diagonal(matrix, 2 + other) for other in range(len(self.others))),
            *(partial_correlation(matrix, 0, 1, [trait]) for trait in traits),
        ]
        return np.array(coefficients, dtype=np.float64)

    def matrix(
        self, codes: Int64[np.ndarray, " r"], levels: int, seen: Int64[np.ndarray, " n"]
    ) -> Float64[np.ndarray, "c c"]:
        """Rank correlations of coded frequency, norm, other distances and traits over the seen tokens."""
        pairs = [(codes, levels), *self.codes]
        return correlation_matrix(np.stack([ranks_within(column[seen], extent) for column, extent in pairs]))


def correlate(
    inputs: ScanInputs,
    norms: Float64[np.ndarray, " v"],
    others: dict[str, Float64[np.ndarray, " v"]],
    *,
    bootstrap: int,
    rng: np.random.Generator,
) -> Correlations:
    """Every coefficient of frequency and norm (V,), and of other distances (V,) by name, with its interval."""
    statistics = _Statistics(inputs, norms, others)
    values = statistics(inputs.counts)
    counts = inputs.counts[statistics.rows]
    seen = np.flatnonzero(counts)
    sizes = [counts.size if name == WHOLE else seen.size for name, _ in statistics.names]
    documents, effect, between = inputs.documents, 1.0, np.zeros(values.size)
    by_documents = documents is not None and len(documents) >= _MIN_DOCUMENTS
    if documents is not None and by_documents:
        corpus = (documents.ids, documents.starts, inputs.counts.size, statistics)
        drawn = document_bootstrap(*corpus, bootstrap, rng)
        cells = occurrence_bootstrap(*corpus, max(bootstrap // 4, 2), rng)
        pairs = zip(drawn.T, cells.T, strict=True)
        between = np.array([variance_between_documents(whole, cell) for whole, cell in pairs])
        subjects = subjects_of(documents.ids, documents.starts, statistics.rows[seen], rng)
        effect = subject_effect(spearman_influence(counts[seen], statistics.norms[seen]), subjects)

    def ends(place: int, coefficient: str, n: int, controlled: int) -> tuple[float | None, float | None]:
        value, more = float(values[place]), float(between[place])
        return _known(fisher_interval(value, n, _FISHER[coefficient], held=controlled, effect=effect, more=more))

    coefficients = []
    for place, ((name, coefficient), n) in enumerate(zip(statistics.names, sizes, strict=True)):
        controlled = len(statistics.written) if name == CONTROLLED else 0
        interval = ends(place, coefficient, n, controlled)
        coefficients.append(Correlation(name, coefficient, float(values[place]), *interval, n))
    first = len(statistics.names)
    distances = [
        Correlation(name, SPEARMAN, float(values[place]), *ends(place, SPEARMAN, seen.size, 0), seen.size)
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
    return Correlations(
        tuple(filter(_exists, [*coefficients[:2], *_head(counts, statistics.norms, effect), *coefficients[2:]])),
        tuple(confounds),
        tuple(filter(_exists, distances)),
        BY_DOCUMENTS if by_documents else _BY_TOKENS,
        effect,
    )


def _head(counts: Int64[np.ndarray, " r"], norms: Float64[np.ndarray, " r"], effect: float) -> list[Correlation]:
    """ρ among ever more frequent tokens: few, so that chance over tokens, not over documents, is what matters."""
    correlations = []
    for least in _HEAD_THRESHOLDS:
        frequent = counts >= least
        if frequent.sum() >= MIN_SEEN:
            one = spearman(counts[frequent], norms[frequent])
            ends = fisher_interval(one.value, one.n, "spearman", effect=effect)
            correlations.append(Correlation(f"{HEAD} {least:,} times", SPEARMAN, one.value, *_known(ends), one.n))
    return correlations


def _exists(correlation: Correlation) -> bool:
    return bool(np.isfinite(correlation.value))


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


def confound_table(confounds: tuple[Confound, ...]) -> Table:
    """The traits as a table of a report."""
    return Table(
        "confounds",
        "What else goes with frequency",
        ("trait", "ρ with frequency", "ρ with norm", "ρ of frequency and norm, trait held", "from", "to"),
        tuple((c.trait, c.with_frequency, c.with_norm, c.held, c.low, c.high) for c in confounds),
        "Partial rank correlations: a relation that vanishes once a trait is held is that trait's. The order "
        "of merges is frequency in the tokenizer's own training text: to hold it is to hold what is asked.",
    )


def correlation_figure(correlations: tuple[Correlation, ...]) -> Figure:
    """Every rank correlation with its interval."""
    rows = [row for row in correlations if row.coefficient == SPEARMAN]
    return Figure(
        "associations",
        "The relation, asked in several ways",
        "Rank correlation of frequency and norm over all seen tokens, with the tokens' traits held, among tokens "
        "that occur ever more often, and over the whole vocabulary. A relation that holds everywhere stays on one side "
        "of 0.",
        Axis("Spearman's ρ"),
        Axis(""),
        (_forest([(row.name, row.value, row.low, row.high) for row in rows]), Rule(0.0, "", "muted")),
    )


def confound_figure(confounds: tuple[Confound, ...], whole: Correlation) -> Figure:
    """The relation controlling for each trait, beside the whole one."""
    return Figure(
        "confounds",
        "The relation with each trait held",
        "Rank correlation of frequency and norm over the seen tokens (line), and the partial one with one trait of "
        "the tokens held at a time. A trait that stands behind the relation brings it to 0.",
        Axis("partial ρ of frequency and norm"),
        Axis(""),
        (
            _forest([(c.trait, c.held, c.low, c.high) for c in confounds]),
            Rule(0.0, "", "muted"),
            Rule(whole.value, "nothing held", "data"),
        ),
    )


def _forest(rows: list[tuple[str, float | None, float | None, float | None]]) -> Forest:
    """Those rows that have a value and an interval."""
    known = [
        (name, value, low, high)
        for name, value, low, high in rows
        if value is not None and low is not None and high is not None
    ]
    names, values, lows, highs = zip(*known, strict=True) if known else ((), (), (), ())
    return Forest(names, values, lows, highs)
