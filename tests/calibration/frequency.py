"""Texts whose source is known, and counts whose law is, through the frequency diagnostic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from calibration.truth import Outcome, Truth, outcome

from geoprobe.data import ArrayRows, EmbeddingTable, ModelSource, ScanInputs, TokenCounts
from geoprobe.diagnostics.frequency.analyzer import FrequencyAnalyzer
from geoprobe.results import VerdictLabel

Draw = Callable[[np.random.Generator], np.ndarray]
NO: tuple[VerdictLabel, ...] = ("weak", "not supported", "contradicted", "inconclusive")


def counted(counts: np.ndarray) -> ScanInputs:
    """Inputs of which only the token counts matter."""
    rows = len(counts)
    table = EmbeddingTable(
        ArrayRows(np.zeros((rows, 1), dtype=np.float32)),
        tuple(f"w{row}" for row in range(rows)),
        np.zeros(rows, dtype=np.bool_),
        ModelSource("made up", "Made up", "unknown", "vectors", "embed", "F32", "0" * 64),
    )
    return ScanInputs(table, (TokenCounts("made up", "0" * 64, counts.astype(np.int64), 1),), ())


def _through(draw: Draw) -> Callable[[int], Outcome]:
    def run(seed: int) -> Outcome:
        rng = np.random.default_rng(seed)
        analyzer = FrequencyAnalyzer(replicates=199, bootstrap=19, repeats=1)
        return outcome(analyzer.run(counted(draw(rng)), rng))

    return run


def zipf_text(s: float, q: float, ranks: int, tokens: int) -> Draw:
    """Independent tokens of Zipf-Mandelbrot's law."""
    shares = (np.arange(1, ranks + 1) + q) ** -s
    return lambda rng: rng.multinomial(tokens, shares / shares.sum())


def lognormal_text(sigma: float, types: int, tokens: int) -> Draw:
    """Independent tokens of types whose rates are log-normal."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        rates = np.exp(rng.normal(0, sigma, types))
        return rng.multinomial(tokens, rates / rates.sum())

    return draw


def pareto_text(beta: float, types: int, tokens: int) -> Draw:
    """Independent tokens of types whose rates are drawn from a power law."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        rates = rng.random(types) ** (-1 / beta)
        return rng.multinomial(tokens, rates / rates.sum())

    return draw


def double_text(first: float, second: float, turn: int, tokens: int) -> Draw:
    """Independent tokens of ranks whose exponent is another one from a rank on."""
    ranks = np.arange(1, 100_001.0)
    shares = np.where(ranks < turn, ranks**-first, turn ** (second - first) * ranks**-second)
    return lambda rng: rng.multinomial(tokens, shares / shares.sum())


def exponential_text(ranks: float, tokens: int) -> Draw:
    """Independent tokens of ranks whose shares fall exponentially."""
    shares = np.exp(-np.arange(20_000) / ranks)
    return lambda rng: rng.multinomial(tokens, shares / shares.sum())


def zeta_counts(gamma: float) -> Draw:
    """Counts that are themselves a power law."""
    return lambda rng: rng.zipf(gamma, 3000)


def truths() -> tuple[Truth, ...]:
    """Known truths and the labels that are right of them."""
    texts = [
        Truth(
            f"Zipf-Mandelbrot text, s = {s}, q = {q}, V = {ranks:,}, {tokens:,} tokens",
            ("supported", "weak"),
            0.8,
            _through(zipf_text(s, q, ranks, tokens)),
        )
        for s, q, ranks, tokens in (
            (0.9, 0.0, 20_000, 10_000),
            (0.9, 3.0, 100_000, 100_000),
            (1.0, 0.0, 20_000, 1_000_000),
            (1.0, 2.7, 50_000, 155_000),
            (1.0, 2.7, 50_000, 10_000),
            (1.1, 0.0, 100_000, 100_000),
            (1.1, 5.0, 100_000, 1_000_000),
            (1.3, 0.0, 20_000, 10_000),
            (1.3, 3.0, 100_000, 100_000),
            (1.1, 0.0, 1_000_000, 1_000_000),
        )
    ]
    texts += [
        Truth(
            f"power-law rates drawn, β = {beta}, {tokens:,} tokens",
            ("supported", "weak", "inconclusive"),
            0.8,
            _through(pareto_text(beta, 50_000, tokens)),
        )
        for beta, tokens in ((0.9, 100_000), (1.1, 1_000_000))
    ]
    texts += [
        Truth(
            f"zeta counts, γ = {gamma}", ("supported",), 0.9, _through(lambda rng, gamma=gamma: rng.zipf(gamma, 3000))
        )
        for gamma in (1.8, 2.2)
    ]
    texts += [
        Truth(f"log-normal rates, σ = {sigma}, {types:,} types, {tokens:,} tokens", NO, 0.95, _through(draw))
        for sigma, types, tokens in (
            (1.5, 5_000, 100_000),
            (2.0, 5_000, 10_000),
            (2.0, 50_000, 100_000),
            (2.0, 50_000, 1_000_000),
            (2.5, 50_000, 100_000),
            (3.0, 5_000, 10_000),
            (3.0, 50_000, 1_000_000),
        )
        for draw in (lognormal_text(sigma, types, tokens),)
    ]
    texts += [
        Truth(
            f"two power laws, s = {first} then {second} from rank {turn:,}, {tokens:,} tokens", NO, 0.95, _through(draw)
        )
        for first, second, turn, tokens in (
            (1.0, 2.0, 1_000, 10_000),
            (1.0, 2.0, 1_000, 100_000),
            (1.0, 1.5, 1_000, 1_000_000),
            (0.7, 1.3, 300, 100_000),
            (1.0, 1.8, 5_000, 100_000),
        )
        for draw in (double_text(first, second, turn, tokens),)
    ]
    texts += [
        Truth(f"rates exponential in rank, {tokens:,} tokens", NO, 0.95, _through(exponential_text(500, tokens)))
        for tokens in (10_000, 1_000_000)
    ]
    return (
        *texts,
        Truth(
            "counts of exponential rates", NO, 0.95, _through(lambda rng: rng.poisson(20 * rng.exponential(size=5000)))
        ),
        Truth("counts of Poisson's law", NO, 0.95, _through(lambda rng: rng.poisson(30, size=4000))),
    )
