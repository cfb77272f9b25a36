"""Norms that follow frequency, do not, or only through subjects of documents, through the norms diagnostic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from calibration.tables import scan_inputs
from calibration.truth import Outcome, Truth, outcome

from geoprobe.diagnostics.norms.analyzer import NormsAnalyzer
from geoprobe.results import VerdictLabel

TYPES, DOCUMENTS, LENGTH = 4000, 300, 80
NO: tuple[VerdictLabel, ...] = ("not supported",)


def corpus(
    rng: np.random.Generator, *, subjects: int = 0, burst: float = 0.0
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Documents, the subject of each type (-1: of none) and its share of all tokens.

    With subjects, half of a document's tokens are of its own; with a burst, each document has shares of its own, gamma
    distributed about the common ones.
    """
    shares = 1 / (rng.permutation(TYPES) + 3.7)
    shares /= shares.sum()
    subject = np.where(rng.random(TYPES) < 0.5, rng.integers(max(subjects, 1), size=TYPES), -1) if subjects else None
    popular = rng.dirichlet(np.ones(subjects)) if subjects else None
    documents = []
    for _ in range(DOCUMENTS):
        likely = shares
        if subject is not None:
            general = shares * (subject < 0)
            own = shares * (subject == rng.choice(subjects, p=popular)) + 1e-15
            likely = (general / general.sum() + own / own.sum()) / 2
        if burst:
            likely = rng.gamma(likely / likely.mean() * burst + 1e-9)
            likely /= likely.sum()
        documents.append(rng.choice(TYPES, LENGTH, p=likely))
    return documents, np.full(TYPES, -1) if subject is None else subject, shares


def _run(
    norms_of: Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray],
    seed: int,
    *,
    subjects: int = 0,
    burst: float = 0.0,
    unrelated: bool = False,
) -> Outcome:
    """One draw: `norms_of` takes frequency in tokens (V,) and subject (V,); covered where the interval holds 0."""
    rng = np.random.default_rng(seed)
    documents, subject, shares = corpus(rng, subjects=subjects, burst=burst)
    norms = norms_of(rng, shares * DOCUMENTS * LENGTH, subject)
    directions = rng.standard_normal((TYPES, 8))
    vectors = directions / np.linalg.norm(directions, axis=1, keepdims=True) * norms[:, None]
    result = NormsAnalyzer(replicates=199, bootstrap=80).run(scan_inputs(vectors, documents), rng)
    interval = result.estimate.interval
    covered = None if not unrelated or interval is None else interval.low <= 0 <= interval.high
    return outcome(result, covered=covered)


def independent(rng: np.random.Generator, frequency: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Norms that have nothing to do with anything."""
    return 3 + 0.5 * rng.standard_normal(frequency.size)


def by_subject(rng: np.random.Generator, frequency: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Norms whose mean depends on the subject of a type."""
    means = np.append(0.5 * rng.standard_normal(subject.max() + 1), 0.0)
    return independent(rng, frequency, subject) + means[subject]


def sloped(slope: float, rng: np.random.Generator, frequency: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Norms that follow log frequency."""
    return 4 + slope * np.log(frequency) + 0.4 * rng.standard_normal(frequency.size)


def bowl(sign: int, rng: np.random.Generator, frequency: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Norms that are least (or most) in the middle of log frequency."""
    level = np.log(frequency)
    return 4 + sign * 0.4 * np.abs(level - np.quantile(level, 0.8)) + 0.4 * rng.standard_normal(frequency.size)


def rising_then_falling(rng: np.random.Generator, frequency: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Norms that rise over the rare types, which are most, and fall among the frequent ones."""
    level, turn = np.log(frequency), np.log(20)
    rise = 0.4 * np.minimum(level, turn) - 0.5 * np.maximum(level - turn, 0)
    return 5 + rise + 0.3 * rng.standard_normal(frequency.size)


def truths() -> tuple[Truth, ...]:
    """Known truths and the labels that are right of them."""
    unrelated = [
        Truth("no relation, independent tokens", NO, 0.95, partial(_run, independent, unrelated=True)),
        Truth("no relation, bursty documents", NO, 0.95, partial(_run, independent, burst=0.02, unrelated=True)),
        Truth("no relation, 20 subjects", NO, 0.95, partial(_run, independent, subjects=20, unrelated=True)),
        *(
            Truth(
                f"no relation, but {subjects} subjects that carry both",
                NO,
                0.95,
                partial(_run, by_subject, subjects=subjects, unrelated=True),
            )
            for subjects in (20, 100)
        ),
    ]
    return (
        *unrelated,
        Truth("norms fall, ρ near −0.7", ("supported",), 0.9, partial(_run, partial(sloped, -0.6))),
        Truth("norms fall a little, ρ near −0.2", ("weak",), 0.9, partial(_run, partial(sloped, -0.12))),
        Truth("norms hardly fall, ρ near −0.04", NO, 0.9, partial(_run, partial(sloped, -0.02))),
        Truth("norms rise, ρ near 0.7", ("contradicted",), 0.9, partial(_run, partial(sloped, 0.6))),
        Truth("norms hardly rise, ρ near 0.04", NO, 0.9, partial(_run, partial(sloped, 0.02))),
        Truth("norms rise, then fall among the frequent", NO, 0.9, partial(_run, rising_then_falling)),
        Truth("a bowl", ("not supported", "weak"), 0.9, partial(_run, partial(bowl, 1))),
        Truth("a hump", ("not supported", "weak"), 0.9, partial(_run, partial(bowl, -1))),
    )
