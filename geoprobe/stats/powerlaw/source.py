"""Are counts a sample of a text whose types follow a power law? Fit, test, rivals, and from which count up.

Counts of a text are not themselves a power law where its source is one: a type of rate λ is counted a Poisson number of
times, the rare ones mostly once or never. So the hypothesis is of rates: a power law between two cuts, which is
Zipf-Mandelbrot's law of ranks with s = 1/β in a finite or infinite vocabulary, seen through Poisson counts.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from geoprobe.stats.powerlaw.histogram import FEWEST_DISTINCT
from geoprobe.stats.powerlaw.rates import (
    CountClasses,
    RateLaw,
    fit_bent,
    fit_broken,
    fit_exponential,
    fit_power,
    probabilities,
)
from geoprobe.stats.powerlaw.replication import generator, replicated
from geoprobe.stats.powerlaw.verdict import LEVEL, NARROW, WIDE, Label

#: Likelihood ratios from which a rival is better: 2.5% of samples of power laws give as much, by calibration.
BENT_BETTER, BROKEN_BETTER = 5.0, 10.0
#: Likelihood ratio from which rates fall more slowly than exponentially with rank, and that of a 95% interval.
CRITICAL = 3.84
#: Changes of γ along the rates: one power law, to all intents; no single power law, but near one.
STEADY, ROUGH = 0.5, 1.0
FEWEST_TYPES = 100
#: Types that a group of classes must lead one to expect.
FEWEST_EXPECTED = 5.0
_FARTHEST = 20.0

SOURCE_RULE = (
    "The counts are taken as a sample: each is Poisson about the rate of its type, and rates follow a power law. From "
    "all types up to those counted 2, 4, 8, … times or more, the first range is taken where that is not ruled out "
    f"(bootstrap p at least {LEVEL}) and neither exponential, log-normal nor double power-law rates are better. "
    f"Supported where it holds {WIDE:.0%} of the types and γ changes by less than {STEADY} along it (95% interval); "
    f"weak where it holds {NARROW:.0%} of the types and {WIDE:.0%} of the tokens, γ changes by at most {STEADY}, and "
    f"its interval lies within {ROUGH}; inconclusive where it holds {WIDE:.0%} of the types but the interval is wider; "
    "contradicted where no range is found and other rates are better for all types; not supported otherwise."
)
"""The rule, in words."""


@dataclass(frozen=True, eq=False)
class SourceTest:
    """A power law of rates among the types counted at least `least` times.

    `s` is Zipf's rank exponent of the source, 1/β; infinite where rates do not fall. The statistic is the likelihood
    ratio of the classes' own shares over the power law's, and p the share of samples of the fitted source, each fitted
    anew, that are as far from their fit; by the chi-squared distribution where no samples were asked for or another law
    is better anyway.

    `bent`, `broken` and `exponential` are likelihood ratios, twice the difference in nats: of rates whose exponent
    changes steadily, as a log-normal's does, and of two power laws that meet, each over the power law; of this over
    rates exponential in rank, negative where rates rise. `drift` is the change of γ along the rates in the best bent
    law, positive as in a log-normal, with its 95% interval by the likelihood; ends that were not sought, as another law
    is better, are infinite.
    """

    least: int
    n_types: int
    type_share: float
    token_share: float
    s: float
    statistic: float
    pvalue: float
    bent: float
    broken: float
    exponential: float
    drift: float
    drift_low: float
    drift_high: float

    @property
    def rivals(self) -> tuple[str, ...]:
        """Laws of rates that are better."""
        better = {
            "exponential": self.exponential < CRITICAL,
            "log-normal": self.bent > BENT_BETTER and self.drift > 0,
            "steepening": self.bent > BENT_BETTER and self.drift <= 0,
            "double power law": self.broken > BROKEN_BETTER,
        }
        return tuple(name for name, is_better in better.items() if is_better)

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against a power law here."""
        return self.pvalue >= LEVEL and not self.rivals

    def steady(self, most: float) -> bool:
        """Whether a change of γ by `most` either way is excluded."""
        return -most < self.drift_low <= self.drift_high < most


@dataclass(frozen=True, eq=False)
class SourceAssessment:
    """The tests from all types up, the last being that of the range taken or of the shortest one looked at.

    There are none with too little data; the label is by `SOURCE_RULE`.
    """

    tests: tuple[SourceTest, ...]
    label: Label


def assess_source(
    counts: ArrayLike, *, replicates: int = 199, rng: np.random.Generator | int | None = None
) -> SourceAssessment:
    """Test and judge whether counts are a sample of a text from a power law of rates.

    Zeros are not looked at. With no replicates, p is from the chi-squared distribution.

    Poisson counts of power-law rates: Good (1953), Biometrika 40, 237-264; double power laws of words: Gerlach and
    Altmann (2013), Physical Review X 3, 021006.
    """
    source = generator(rng)
    every = np.asarray(counts).astype(np.int64)
    seen = np.sort(every[every > 0])
    tests: list[SourceTest] = []
    least, total = 1, float(seen.sum())
    while not (tests and tests[-1].holds):
        tail = seen[np.searchsorted(seen, least) :]
        enough = tail.size >= max(FEWEST_TYPES, NARROW * seen.size) and tail.sum() >= WIDE * total
        if not enough or np.count_nonzero(np.diff(tail)) + 1 < FEWEST_DISTINCT:
            break
        shares = (tail.size / seen.size, float(tail.sum()) / total)
        tests.append(_test(tail, least, shares, replicates, source))
        least *= 2
    return SourceAssessment(tuple(tests), _label(tests))


def _label(tests: list[SourceTest]) -> Label:
    if not tests:
        return "inconclusive"
    last = tests[-1]
    if not last.holds:
        return "contradicted" if tests[0].rivals else "not supported"
    if last.type_share >= WIDE and last.steady(STEADY):
        return "supported"
    if abs(last.drift) <= STEADY and last.steady(ROUGH):
        return "weak"
    return "inconclusive" if last.type_share >= WIDE else "not supported"


def _test(
    tail: Int[np.ndarray, " n"], least: int, shares: tuple[float, float], replicates: int, rng: np.random.Generator
) -> SourceTest:
    """One range of counts: the power law, its distance from them, and its rivals."""
    from scipy.special import chdtrc

    classes = CountClasses.of(least, int(tail[-1]))
    types = classes.tally(tail)
    power = fit_power(classes, types)
    chances = probabilities(classes, power)
    bent, broken, exponential = (fit(classes, types, power) for fit in (fit_bent, fit_broken, fit_exponential))
    extent = max(power.high - max(power.low, math.log(least)), 1.0)
    groups = _groups(tail.size * chances)
    statistic = _distance(types, tail.size * chances, groups)
    test = SourceTest(
        least=least,
        n_types=int(tail.size),
        type_share=shares[0],
        token_share=shares[1],
        s=1 / power.beta if power.beta > 0 else math.inf,
        statistic=statistic,
        pvalue=float(chdtrc(max(groups.size - 3, 1), statistic)),
        bent=2 * (bent.loglikelihood - power.loglikelihood),
        broken=2 * (broken.loglikelihood - power.loglikelihood),
        exponential=math.copysign(2 * (power.loglikelihood - exponential.loglikelihood), power.beta),
        drift=bent.bend * extent,
        drift_low=-math.inf,
        drift_high=math.inf,
    )
    if test.rivals:
        return test

    def replicate(child: np.random.Generator, row: np.ndarray) -> None:
        drawn = child.multinomial(tail.size, chances).astype(np.float64)
        row[0] = _distance(drawn, tail.size * probabilities(classes, fit_power(classes, drawn, power)), groups)

    pvalue = test.pvalue
    if replicates:
        null = replicated(replicate, replicates, rng, width=1)[:, 0]
        pvalue = (1 + int((null >= statistic).sum())) / (1 + replicates)
    low, high = (_drift_end(classes, types, bent, extent, side) for side in (-1, 1))
    return SourceTest(**{**test.__dict__, "pvalue": pvalue, "drift_low": low, "drift_high": high})


def _groups(expected: Float[np.ndarray, " k"]) -> Int[np.ndarray, " g"]:
    """Where groups of classes start that lead one to expect enough types: the largest counts are few and far apart."""
    starts, waiting = [], 0.0
    for place in range(expected.size - 1, -1, -1):
        waiting += expected[place]
        if waiting >= FEWEST_EXPECTED:
            starts.append(place)
            waiting = 0.0
    return np.array([0, *starts[-2::-1]])


def _distance(
    types: Float[np.ndarray, " k"], expected: Float[np.ndarray, " k"], groups: Int[np.ndarray, " g"]
) -> float:
    """Likelihood ratio of the groups' own shares over the expected ones."""
    seen, expected = np.add.reduceat(types, groups), np.add.reduceat(expected, groups)
    some = seen > 0
    return 2 * float((seen[some] * np.log(seen[some] / np.maximum(expected[some], 1e-300))).sum())


def _drift_end(classes: CountClasses, types: Float[np.ndarray, " k"], bent: RateLaw, extent: float, side: int) -> float:
    """An end of the interval of the drift: where the likelihood ratio is at its critical value."""

    def excess(drift: float) -> float:
        fixed = fit_bent(classes, types, bent, bend=drift / extent)
        return 2 * (bent.loglikelihood - fixed.loglikelihood) - CRITICAL

    inner, below, step = bent.bend * extent, -CRITICAL, 0.1
    outer = inner + side * step
    while (above := excess(outer)) <= 0:
        inner, below, step = outer, above, 2 * step
        outer = inner + side * step
        if abs(outer) > _FARTHEST:
            return side * math.inf
    for _ in range(4):
        middle = inner + (outer - inner) * min(max(below / (below - above), 0.1), 0.9)
        value = excess(middle)
        if value > 0:
            outer, above = middle, value
        else:
            inner, below = middle, value
    return inner + (outer - inner) * below / (below - above)
