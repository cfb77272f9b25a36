"""Whether the text is a sample of a source whose types follow a power law, as plain values of a result."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from geoprobe.data import Documents
from geoprobe.results import Row, Table, number
from geoprobe.stats.powerlaw import SourceTest, assess_source

_MIN_DOCUMENTS = 40
_SPLITS = 4


@dataclass(frozen=True)
class SourceRange:
    """The test among types seen at least `least` times.

    Shares are of all types seen, and of all tokens. `s` is Zipf's rank exponent of the source, None where rates do not
    fall; p the share of samples of the fitted source that are as far from their fit; `drift` how much γ changes along
    the rates, with its 95% interval where another law is not better anyway.
    """

    least: int
    n_types: int
    type_share: float
    token_share: float
    s: float | None
    pvalue: float
    drift: float
    drift_low: float | None
    drift_high: float | None
    better: tuple[str, ...]


@dataclass(frozen=True)
class SourceFit:
    """All ranges looked at, from all types up, and what halves of the corpus say.

    The last range is that taken, or the shortest. `halves` counts the labels of random halves of the documents, whose p
    is by the chi-squared distribution.
    """

    label: str
    ranges: tuple[SourceRange, ...]
    halves: tuple[tuple[str, int], ...]

    @property
    def agreeing(self) -> tuple[int, int]:
        """Halves with the label of the whole, and all halves."""
        return dict(self.halves).get(self.label, 0), sum(n for _, n in self.halves)


def describe_source(
    counts: Int64[np.ndarray, " v"], documents: Documents | None, *, replicates: int, rng: np.random.Generator
) -> SourceFit:
    """Test the counts (V,) of a corpus, and of halves of its documents where they are known."""
    assessed = assess_source(counts, replicates=replicates, rng=rng)
    labels: list[str] = []
    if documents is not None and len(documents) >= _MIN_DOCUMENTS:
        for _ in range(_SPLITS):
            first = rng.permutation(len(documents)) < len(documents) // 2
            tokens = np.repeat(first, np.diff(documents.starts))
            labels += [
                assess_source(np.bincount(documents.ids[half]), replicates=0, rng=rng).label
                for half in (tokens, ~tokens)
            ]
    return SourceFit(assessed.label, tuple(map(_plain, assessed.tests)), tuple(Counter(sorted(labels)).most_common()))


def _plain(test: SourceTest) -> SourceRange:
    return SourceRange(
        least=test.least,
        n_types=test.n_types,
        type_share=test.type_share,
        token_share=test.token_share,
        s=_finite(test.s),
        pvalue=test.pvalue,
        drift=test.drift,
        drift_low=_finite(test.drift_low),
        drift_high=_finite(test.drift_high),
        better=test.rivals,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def source_rows(source: SourceFit) -> tuple[Row, ...]:
    """The range taken, as quantities of a report."""
    if not source.ranges:
        return ()
    last = source.ranges[-1]
    of = "all types" if last.least == 1 else f"types seen at least {last.least:,} times"
    rows = [
        Row("Zipf's s of the source", last.s, note=f"{of}, counts taken as a sample", key="source_s"),
        Row("p of a power-law source", last.pvalue, note=of, key="source_pvalue"),
        Row("share of tokens in that range", last.token_share, key="source_token_share"),
        Row(
            "change of γ along it",
            last.drift,
            last.drift_low,
            last.drift_high,
            "95% interval by the likelihood",
            "source_drift",
        ),
    ]
    agreeing, halves = source.agreeing
    if halves:
        labels = ", ".join(f"{label} {n}" for label, n in source.halves)
        rows.append(
            Row("halves of the corpus with this answer", f"{agreeing} of {halves}", note=labels, key="source_halves")
        )
    return tuple(rows)


def source_table(source: SourceFit) -> Table:
    """Every range looked at."""
    return Table(
        "source",
        "Counts as a sample of a power-law source",
        (
            "seen at least",
            "types",
            "share of types",
            "share of tokens",
            "s",
            "p",
            "change of γ",
            "from",
            "to",
            "better",
        ),
        tuple(
            (
                row.least,
                row.n_types,
                row.type_share,
                row.token_share,
                row.s,
                row.pvalue,
                row.drift,
                row.drift_low,
                row.drift_high,
                ", ".join(row.better),
            )
            for row in source.ranges
        ),
        "Each count is Poisson about the rate of its type, and the number of types of rate λ and more falls as "
        f"λ^(-1/s). A change of γ near 0 is one power law; a log-normal changes it by its range over its variance, "
        f"such as {number(8 / 4)} where counts span three decades and σ = 2.",
    )
