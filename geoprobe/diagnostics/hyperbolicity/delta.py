"""The paper's protocol: relative δ of prompts from their first token, beside random directions of the same norms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.points import first_distinct, vectors_of
from geoprobe.diagnostics.paper import CITATION, DELTA
from geoprobe.figure import Axis, Bars, Figure, Forest, Rule, floats
from geoprobe.results import Interval, NullDistribution, Table, number
from geoprobe.stats.hyperbolicity import delta_basepoint_batch
from geoprobe.stats.nulls import delta_basepoint_gaussian_null
from geoprobe.stats.resampling import bootstrap_mean, monte_carlo_pvalue

_PROMPTS_A_CALL = 16
_NORM_NULL = (
    "random directions in the same dimension, one for each distinct token, at its distance from the mean vector"
)


@dataclass(frozen=True)
class DeltaTest:
    """The paper's statistic, mean over prompts, against random directions of the same norms.

    They are of relative δ over prompts; the null is the mean on each draw.
    """

    mean: float
    sd: float
    interval: Interval
    null: NullDistribution


@dataclass(frozen=True)
class PromptDelta:
    """One prompt: its corpus, tokens and distinct tokens, relative δ, the mean of δ's null, and Holland's index."""

    corpus: str
    tokens: int
    distinct: int
    delta: float
    null_mean: float
    holland: float


@dataclass(frozen=True)
class CorpusDelta:
    """Prompts of one corpus: mean and standard deviation of relative δ, of its null, and mean of Holland's index."""

    corpus: str
    n_prompts: int
    mean: float
    sd: float
    null_mean: float
    null_sd: float
    holland: float


def relative_delta(inputs: ScanInputs, prompts: list[Int64[np.ndarray, " _"]]) -> Float64[np.ndarray, " m"]:
    """Relative δ of each prompt, a few prompts' vectors in memory at a time."""
    parts = [prompts[start : start + _PROMPTS_A_CALL] for start in range(0, len(prompts), _PROMPTS_A_CALL)]
    vectors = inputs.embedding.vectors
    return np.concatenate([delta_basepoint_batch([vectors.take(ids) for ids in part]).relative for part in parts])


def norm_null(
    inputs: ScanInputs, prompts: list[Int64[np.ndarray, " _"]], replicates: int, rng: np.random.Generator
) -> Float64[np.ndarray, "replicates m"]:
    """Relative δ of random directions, each distinct token at its distance from the vocabulary's mean vector."""
    table = inputs.embedding
    mean = table.row_statistics.mean
    # a repeated token is a point at distance 0 from its twin and adds nothing to δ
    distinct = [first_distinct(ids, len(ids)) for ids in prompts]
    norms = [np.linalg.norm(vectors_of(inputs, ids) - mean, axis=1) for ids in distinct]
    sizes = [len(ids) for ids in distinct]
    return delta_basepoint_gaussian_null(sizes, table.dimension, replicates, rng, norms=norms)


def delta_test(
    relative: Float64[np.ndarray, " m"], simulated: Float64[np.ndarray, "replicates m"], rng: np.random.Generator
) -> DeltaTest:
    """The mean over prompts against the null's draws."""
    low, high = bootstrap_mean(relative, rng)
    means, mean = simulated.mean(axis=1), float(relative.mean())
    null = NullDistribution(
        model=_NORM_NULL,
        statistic="relative δ, mean over prompts",
        observed=mean,
        distribution=floats(means),
        alternative="less",
        pvalue=monte_carlo_pvalue(mean, means, "less"),
    )
    return DeltaTest(mean, float(relative.std(ddof=1)), Interval(low, high, "bootstrap over prompts"), null)


def corpus_delta(
    corpus: str,
    relative: Float64[np.ndarray, " m"],
    simulated: Float64[np.ndarray, "replicates m"],
    holland: Float64[np.ndarray, " m"],
    mine: Bool[np.ndarray, " m"],
) -> CorpusDelta:
    """The prompts of one corpus, which `mine` marks."""
    values, null = relative[mine], simulated[:, mine]
    several = values.size > 1
    return CorpusDelta(
        corpus,
        values.size,
        float(values.mean()),
        float(values.std(ddof=1)) if several else 0.0,
        float(null.mean()),
        # the null's own spread over prompts, averaged over draws, is what the data's compares with
        float(null.std(axis=1, ddof=1).mean()) if several else 0.0,
        float(holland[mine].mean()),
    )


def corpus_table(corpora: tuple[CorpusDelta, ...]) -> Table:
    """Each corpus as a row."""
    return Table(
        "corpora",
        "By corpus",
        ("corpus", "prompts", "relative δ", "sd", "δ of the null", "sd of the null", "Holland"),
        tuple((c.corpus, c.n_prompts, c.mean, c.sd, c.null_mean, c.null_sd, c.holland) for c in corpora),
    )


def paper_table() -> Table:
    """The paper's own values."""
    return Table(
        "paper",
        "Relative δ in the paper",
        ("model", "MAWPS", "SVAMP", "GSM8K", "AQuA"),
        tuple((model, *values) for model, values in DELTA.items()),
        f"Mean over prompts as printed in {CITATION}, without a null. In higher dimension δ is lower "
        "for any vectors, so the models cannot be compared by it.",
    )


def prompt_figure(prompts: tuple[PromptDelta, ...], delta: DeltaTest) -> Figure:
    """Relative δ of every prompt beside the null's mean of it."""
    deltas = np.array([prompt.delta for prompt in prompts])
    nulls = np.array([prompt.null_mean for prompt in prompts])
    edges = np.linspace(0.0, max(deltas.max(), nulls.max(), 1e-9) * 1.05, 41)
    return Figure(
        "prompts",
        "Relative δ of prompts",
        f"The paper's statistic on {len(deltas)} prompts, and on random directions with the same norms. "
        "Evidence for a hyperbolic space would lie to the left of the null.",
        Axis("relative δ = 2δ / diameter"),
        Axis("prompts"),
        (
            Bars(floats(edges), floats(np.histogram(nulls, edges)[0]), "random directions, mean by prompt", "null"),
            Bars(floats(edges), floats(np.histogram(deltas, edges)[0]), "prompts", "data"),
            Rule(delta.mean, f"mean of the prompts, {number(delta.mean)}", "data"),
        ),
    )


def corpus_figure(corpora: tuple[CorpusDelta, ...]) -> Figure:
    """Relative δ of each corpus beside its null."""
    names = tuple(corpus.corpus for corpus in corpora)
    return Figure(
        "corpora",
        "Relative δ by corpus",
        "Mean and one standard deviation over prompts, of each corpus and of random directions with its norms.",
        Axis("relative δ"),
        Axis(""),
        (
            Forest(
                names,
                tuple(corpus.mean for corpus in corpora),
                tuple(corpus.mean - corpus.sd for corpus in corpora),
                tuple(corpus.mean + corpus.sd for corpus in corpora),
                "prompts",
                "data",
                -0.12,
            ),
            Forest(
                names,
                tuple(corpus.null_mean for corpus in corpora),
                tuple(corpus.null_mean - corpus.null_sd for corpus in corpora),
                tuple(corpus.null_mean + corpus.null_sd for corpus in corpora),
                "random directions",
                "null",
                0.12,
            ),
        ),
    )
