"""Two methods on the same questions or held-out examples with the same seeds: the difference and its interval.

An outcome of seed s on question q is a difference d = right(method) − right(reference) in {−1, 0, 1}. Seeds and
questions are crossed: every seed answers every question. With d = μ + a_s + b_q + e_sq the variance of the mean has
three parts, of seeds, questions and both; a bootstrap that resamples the few seeds there are is far too narrow for the
first one, so that part is Student's. Losses of held-out examples are crossed with seeds in the same way.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

_LEVEL, _POWER = 0.95, 0.8


@dataclass(frozen=True)
class Difference:
    """A mean difference, and what the experiment says of it.

    `value` is the mean over seeds and questions, method less reference. All but `value` and the counts is None with one
    seed, which says nothing of others, or where it was not measured. Of losses, `questions` are held-out examples, 0 in
    older reports, which left out their own luck.

    `low` and `high` are the 95% interval; `pvalue` is two-sided, of no difference, and above 0.05 exactly where the
    interval holds 0. `detectable` is the smallest true difference that an experiment of this size would find in 80% of
    repetitions, on what this one shows of its noise; it lies between `detectable_low` and `detectable_high` in 80 of
    100 experiments, as so few seeds say little of their own variance. `seed_share` is the share of the variance of
    `value` that comes from seeds. The true difference is smaller than `equivalent` in either direction, with 95%
    confidence: the larger end of the 90% interval (two one-sided tests at 5%).
    """

    value: float
    low: float | None
    high: float | None
    pvalue: float | None
    detectable: float | None
    seeds: int
    questions: int
    seed_share: float | None = None
    detectable_low: float | None = None
    detectable_high: float | None = None
    equivalent: float | None = None


@dataclass(frozen=True)
class McNemar:
    """Questions that only one of two runs got right, and the exact test of their balance."""

    only_reference: int
    only_method: int
    pvalue: float


def mcnemar(reference: Bool[np.ndarray, " q"], method: Bool[np.ndarray, " q"]) -> McNemar:
    """Exact test that two runs are right equally often on the same questions.

    p is the two-sided binomial test of the discordant questions; 1 where there are none.

    McNemar (1947), Psychometrika 12, 153-157; exact as in Fagerland, Lydersen and Laake (2013).
    """
    only_reference, only_method = int((reference & ~method).sum()), int((method & ~reference).sum())
    discordant = only_reference + only_method
    tail = float(stats.binom.cdf(min(only_reference, only_method), discordant, 0.5)) if discordant else 1.0
    return McNemar(only_reference, only_method, min(1.0, 2 * tail))


def paired_accuracy(
    reference: Bool[np.ndarray, "_ _"],
    method: Bool[np.ndarray, "_ _"],
    rng: np.random.Generator,
    *,
    replicates: int = 10_000,
) -> Difference:
    """Difference in accuracy between two methods, over (seeds, questions) of whether an answer is right.

    The same seeds and questions are in both. The interval is that of a two-level bootstrap. Level of questions: they
    are resampled, the same ones for all seeds, and the deviation is scaled to the variance that is the questions' own.
    Level of seeds: as there are few, a Student deviate with s − 1 degrees of freedom times the standard error between
    seeds. That error is not taken below what makes the interval as wide as one that ignores seeds, since the
    differences of a few seeds can be equal by chance; and two pseudo-questions, one won by each method, keep a set on
    which nothing differs from an interval without width (Agresti and Min 2005). There are at least 39 replicates: with
    fewer no p is as small as 0.05.

    The ends of the interval are the k-th smallest and the k-th largest replicate, with k the whole part of 0.025
    (replicates + 1): so p, two times (1 + replicates on the other side of 0) / (1 + replicates), is above 0.05 exactly
    where 0 is in the interval (Davison and Hinkley 1997, sections 4.2 and 5.2).

    The variance is the moment estimate of crossed random effects, as in the analysis of readers and cases (Obuchowski
    and Rockette 1995, Hillis 2007). The detectable difference is predictive: the 80% quantile of the half-width less
    the noise of a repetition whose variances are drawn from what this experiment says of them, so that a repetition at
    that true difference finds it with probability 0.8.
    """
    if reference.shape != method.shape:
        raise ValueError(
            f"reference is {reference.shape} and method {method.shape}: give the same seeds and questions."
        )
    differences = method.astype(np.float64) - reference
    # two pseudo-questions, one won by each method
    return _crossed(differences, np.array([1.0, -1.0]), rng, replicates)


def paired_losses(
    differences: Float[np.ndarray, "_ _"],
    tokens: Float[np.ndarray, " _"],
    rng: np.random.Generator,
    *,
    replicates: int = 10_000,
) -> Difference:
    """Difference in mean loss per token between two methods, in nats, over (seeds, held-out examples).

    `differences` are each example's mean loss by the method, less that by the reference; `tokens` weigh it. The
    interval is that of `paired_accuracy` with examples for questions: the mean over tokens is a ratio, so what is
    resampled are its linear parts (Cochran 1977, section 2.11), and examples may be few: their variance is raised by
    what Student's quantile is above the normal one.
    """
    if differences.shape[1] != len(tokens):
        raise ValueError(f"There are {differences.shape[1]} examples and tokens of {len(tokens)}; give one of each.")
    weights = tokens / tokens.mean() if len(tokens) else tokens
    mean = float((differences * weights).mean()) if differences.size else 0.0
    effective = float(weights.sum() ** 2 / (weights**2).sum()) if weights.size else 0.0
    few = (float(stats.t.ppf((1 + _LEVEL) / 2, max(effective - 1, 1))) / float(stats.norm.ppf((1 + _LEVEL) / 2))) ** 2
    return _crossed(mean + (differences - mean) * weights, np.array([]), rng, replicates, few)


def _crossed(
    differences: Float[np.ndarray, "s q"],
    pseudo: Float[np.ndarray, " p"],
    rng: np.random.Generator,
    replicates: int,
    few: float = 1.0,
) -> Difference:
    """The mean of seeds × questions, its interval with `pseudo` more outcomes, and what could have been seen.

    `few` raises the variance of questions.
    """
    tail = int(round((1 - _LEVEL) / 2 * (1 + replicates), 6))
    if not tail:
        raise ValueError(f"replicates is {replicates}; an interval at {_LEVEL:.0%} needs at least 39.")
    seeds, questions = differences.shape
    if not seeds or not questions:
        raise ValueError(f"There are {seeds} seeds and {questions} questions; at least one of each is needed.")
    value = float(differences.mean())
    if seeds < 2:
        return Difference(value, None, None, None, None, seeds, questions)
    noise = _noise(differences, pseudo)
    noise = replace(noise, questions=few * noise.questions)
    deviation = _resampled_questions(differences, pseudo, noise, rng, replicates)
    student = stats.t.ppf((np.arange(replicates) + 0.5) / replicates, seeds - 1)  # a stratified sample: less noise
    drawn = value + deviation + rng.permutation(student) * np.sqrt(max(noise.seeds, noise.floor))
    ordered = np.sort(drawn)
    low, high = ordered[[tail - 1, -tail]]
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Difference(
        value,
        float(low),
        float(high),
        min(1.0, 2 * (1 + beyond) / (1 + replicates)),
        _detectable(noise, seeds, rng),
        seeds,
        questions,
        _share(noise),
        *_detectable_range(noise, seeds, rng),
        float(max(abs(ordered[2 * tail - 1]), abs(ordered[-2 * tail]))),
    )


@dataclass(frozen=True)
class _Noise:
    """Parts of the variance of a mean difference: of seeds, the least taken for them, and of questions."""

    seeds: float
    floor: float
    questions: float


def _share(noise: _Noise) -> float:
    """Share of the variance that is the seeds'; all of it where nothing varies."""
    of_seeds = max(noise.seeds, noise.floor)
    return of_seeds / (of_seeds + noise.questions) if of_seeds + noise.questions else 1.0


def _noise(differences: Float[np.ndarray, "s q"], pseudo: Float[np.ndarray, " p"]) -> _Noise:
    seeds, questions = differences.shape
    by_seed, by_question = differences.mean(axis=1), differences.mean(axis=0)
    rest = differences - by_seed[:, None] - by_question + differences.mean()
    residual = float((rest**2).sum()) / max(1, (seeds - 1) * (questions - 1)) / (seeds * questions)
    between = float(by_question.var(ddof=1)) / questions if questions > 1 else 0.0
    ratio = stats.norm.ppf((1 + _LEVEL) / 2) / stats.t.ppf((1 + _LEVEL) / 2, seeds - 1)
    # pseudo-questions among them add to the sum of squares
    own = max(between - residual, 0.0) + float((pseudo**2).sum()) / questions**2
    return _Noise(float(by_seed.var(ddof=1)) / seeds, float(ratio**2) * residual, own)


def _resampled_questions(
    differences: Float[np.ndarray, "s q"],
    pseudo: Float[np.ndarray, " p"],
    noise: _Noise,
    rng: np.random.Generator,
    replicates: int,
) -> Float[np.ndarray, " replicates"]:
    """Deviations of the mean over resampled questions, of the variance that is the questions' own."""
    pool = np.append(differences.mean(axis=0), pseudo)
    values, counts = np.unique(pool, return_counts=True)  # of right and wrong, few: multiples of 1 / seeds
    drawn = rng.multinomial(differences.shape[1], counts / counts.sum(), size=replicates) @ values
    deviation: np.ndarray = drawn / differences.shape[1] - pool.mean()
    if variance := pool.var() / differences.shape[1]:
        deviation *= np.sqrt(noise.questions / variance)
    return deviation


def _detectable_range(noise: _Noise, seeds: int, rng: np.random.Generator) -> tuple[float, float]:
    """The true differences found with probability 0.8 were the seeds' variance at the 10% and 90% of what it may be."""
    freedom = seeds - 1
    low, high = (noise.seeds * freedom / float(stats.chi2.ppf(share, freedom)) for share in (0.9, 0.1))
    return _detectable(noise, seeds, rng, true=low), _detectable(noise, seeds, rng, true=high)


def _detectable(
    noise: _Noise, seeds: int, rng: np.random.Generator, replicates: int = 20_000, *, true: float | None = None
) -> float:
    """The true difference that a repetition finds with probability 0.8, on what is known of the noise.

    `true`: the variance of the mean that comes from seeds, where it is not to be drawn from what is known.
    """
    freedom = seeds - 1
    variance = noise.seeds * freedom / rng.chisquare(freedom, replicates) if true is None else np.full(replicates, true)
    seen = np.maximum(variance * rng.chisquare(freedom, replicates) / freedom, noise.floor)
    chance = rng.standard_normal(replicates) * np.sqrt(variance + noise.questions)
    return float(np.quantile(_half_widths(seen, noise.questions, freedom) - chance, _POWER))


def _half_widths(seeds: Float[np.ndarray, " n"], questions: float, freedom: int) -> Float[np.ndarray, " n"]:
    """Half-widths of intervals: quantiles of a Student deviate plus a normal one, of these variances."""
    angles, quantiles = _sums(freedom)
    widths: np.ndarray = np.sqrt(seeds + questions)
    widths *= np.interp(np.arctan2(np.sqrt(questions), np.sqrt(seeds)), angles, quantiles)
    return widths


@lru_cache(maxsize=32)
def _sums(freedom: int) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """Upper quantiles of cos(a)·T + sin(a)·N, T of Student and N normal, for angles a from 0 to a right one."""
    angles = np.linspace(0, np.pi / 2, 61)
    low, high = np.zeros(len(angles)), np.full(len(angles), stats.t.ppf((1 + _LEVEL) / 2, freedom) + 2)
    for _ in range(60):
        middle = (low + high) / 2
        above = _tails(angles, middle, freedom) > (1 - _LEVEL) / 2
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return angles, (low + high) / 2


def _tails(angles: Float[np.ndarray, " m"], beyond: Float[np.ndarray, " m"], freedom: int) -> Float[np.ndarray, " m"]:
    """Probability that each sum is above a value: the mean, over the lesser deviate, of the other's tail."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    students = stats.t.ppf((np.arange(4000) + 0.5) / 4000, freedom)
    cosines, sines, values = np.cos(angles)[:, None], np.sin(angles)[:, None], beyond[:, None]
    normal = angles > np.pi / 4
    tails = np.empty(len(angles))
    # the tail of the greater is smooth on the scale of the lesser; the other way round it would be a step
    tails[~normal] = stats.t.sf((values - sines * nodes)[~normal] / cosines[~normal], freedom) @ weights / weights.sum()
    tails[normal] = stats.norm.sf((values - cosines * students)[normal] / sines[normal]).mean(axis=1)
    return tails
