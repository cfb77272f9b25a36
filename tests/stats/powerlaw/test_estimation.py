"""The fit against mpmath, a brute-force search, igraph and published values."""

import importlib.metadata

import mpmath
import numpy as np
import pytest
from builders import missing
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import zeta

from geoprobe.stats.powerlaw import fit


def brute_force(counts, support):
    """Every candidate by scipy's zeta function, with nothing skipped."""
    counts = np.asarray(counts)
    found = []
    for xmin in np.unique(counts)[:-1]:
        tail = counts[counts >= xmin]
        mean_log = np.log(tail / xmin).mean()

        def excess(alpha, q=xmin, target=mean_log):
            h = 1e-5
            slope = (np.log(zeta(alpha + h, q)) - np.log(zeta(alpha - h, q))) / (2 * h)
            return slope + np.log(q) + target

        alpha = brentq(excess, 1.0001, 60)
        at = np.unique(tail)
        if support == "integers":
            at = np.arange(xmin, tail.max() + 2)
        model = zeta(alpha, at) / zeta(alpha, xmin)
        observed = (tail[:, None] >= at[None, :]).mean(axis=0)
        found.append((np.abs(model - observed).max(), int(xmin), alpha))
    return found


@pytest.mark.parametrize("support", ["observed", "integers"])
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), alpha=st.floats(1.8, 3.5))
def test_search_matches_brute_force_over_every_candidate(support, seed, alpha):
    counts = np.minimum(np.random.default_rng(seed).zipf(alpha, 60), 3000)
    if np.unique(counts).size < 3:
        return
    # a narrow top of the sample can ask for an exponent outside the bracket of the reference
    counts = np.r_[counts, counts.max() * 2]
    found = fit(counts, support=support)
    candidates = brute_force(counts, support)
    best = min(candidates)
    assert found.ks == pytest.approx(best[0], abs=1e-6)
    own = {xmin: (ks, alpha) for ks, xmin, alpha in candidates}[found.xmin]
    assert found.ks == pytest.approx(own[0], abs=1e-6)
    assert found.alpha == pytest.approx(own[1], rel=1e-4)


def test_pruned_search_matches_every_distance_in_full():
    from geoprobe.stats.powerlaw.fit_kernels import alphas_and_distances, best_candidate

    rng = np.random.default_rng(8)
    for alpha in (1.3, 1.7, 2.1, 2.9):
        values, multiplicities = np.unique(np.minimum(rng.zipf(alpha, 20_000), 2**40), return_counts=True)
        values = values.astype(np.float64)
        for integers in (False, True):
            every = np.arange(values.size - 1)
            alphas, distances = alphas_and_distances(values, multiplicities, every, integers)
            least = int(np.argmin(distances))
            for first in (0, 5, values.size - 2):
                index, exponent, distance = best_candidate(values, multiplicities, first, integers)
                assert (index, distance) == (least, distances[least])
                assert exponent == alphas[least]


@pytest.mark.parametrize("alpha", [1.1, 1.5, 2.0, 2.7, 4.0, 6.0])
@pytest.mark.parametrize("xmin", [1, 4, 60])
def test_alpha_and_loglikelihood_match_mpmath(alpha, xmin):
    rng = np.random.default_rng(int(1000 * alpha) + xmin)
    pareto = (xmin - 0.5) * rng.random(3000) ** (-1 / (alpha - 1)) + 0.5
    counts = np.minimum(np.floor(pareto), 2**52).astype(np.int64)
    found = fit(counts, xmin=xmin)
    tail = [int(c) for c in counts if c >= xmin]
    with mpmath.workdps(40):
        logs = mpmath.fsum(mpmath.log(c) for c in tail)

        def slope(a):
            return -logs - len(tail) * mpmath.zeta(a, xmin, 1) / mpmath.zeta(a, xmin)

        exact = mpmath.findroot(slope, mpmath.mpf(found.alpha))
        best = -exact * logs - len(tail) * mpmath.log(mpmath.zeta(exact, xmin))
        h = mpmath.mpf("1e-12")
        information = -(slope(exact + h) - slope(exact - h)) / (2 * h)
    assert abs(found.alpha - float(exact)) <= 1e-8
    assert abs(found.loglikelihood - float(best)) <= 1e-6
    assert found.alpha_se_asymptotic == pytest.approx(float(1 / mpmath.sqrt(information)), rel=1e-6)


@pytest.mark.parametrize("alpha", [1.1, 1.5, 2.0, 3.0, 4.5, 6.0])
def test_alpha_recovers_the_truth_of_a_zeta_sample(alpha):
    rng = np.random.default_rng(17)
    if alpha > 1.3:
        counts = rng.zipf(alpha, 50_000)
    else:
        # inverse transform of the exact survival function on a grid, then of its continuous limit
        u = rng.random(50_000)
        heads = np.arange(2, 2000)
        head = np.searchsorted(-zeta(alpha, heads) / zeta(alpha, 1), -u) + 1
        far = np.floor((u * zeta(alpha, 1) * (alpha - 1)) ** (-1 / (alpha - 1)) + 0.5)
        counts = np.where(head < heads.size, head, np.minimum(far, 2**53 - 1)).astype(np.int64)
    found = fit(counts, xmin=1)
    assert abs(found.alpha - alpha) < 4 * found.alpha_se_asymptotic
    assert found.alpha_se_asymptotic < 0.06


def test_asymptotic_error_matches_the_spread_over_samples():
    rng = np.random.default_rng(3)
    fits = [fit(rng.zipf(2.5, 2000), xmin=1) for _ in range(300)]
    spread = np.std([f.alpha for f in fits])
    assert spread == pytest.approx(np.mean([f.alpha_se_asymptotic for f in fits]), rel=0.15)


def test_shares_of_types_and_tokens_count_what_is_in_the_tail():
    counts = np.array([1] * 50 + [2] * 20 + [3, 4, 5, 6, 7, 8, 9, 20, 40])
    found = fit(counts, xmin=3)
    assert (found.n, found.n_tail, found.n_distinct) == (79, 9, 11)
    assert found.type_share == 9 / 79
    assert found.token_share == pytest.approx(102 / 192)


def test_xmin_below_or_between_the_observed_values_is_held():
    counts = np.random.default_rng(1).zipf(2.0, 4000) * 3
    at_one = fit(counts, xmin=1)
    assert (at_one.xmin, at_one.n_tail, at_one.xmin_given) == (1, 4000, True)
    between = fit(counts, xmin=7)
    assert (between.xmin, between.n_tail) == (7, int((counts >= 7).sum()))
    # P(X >= 9) of the model is below the observed 1: that deviation is part of the distance
    assert between.ks >= 1 - zeta(between.alpha, 9) / zeta(between.alpha, 7) - 1e-12


@pytest.mark.parametrize(
    ("xmin", "message"), [(0, "at least 1"), (2.5, "xmin is 2.5"), (90, "leaves 1 distinct"), (91, "leaves 0 distinct")]
)
@pytest.mark.usefixtures("unchecked")
def test_unusable_xmin_is_named_in_the_error(xmin, message):
    with pytest.raises(ValueError, match=message):
        fit(np.r_[1:20, 90], xmin=xmin)


@pytest.mark.usefixtures("unchecked")
def test_unknown_support_is_refused():
    with pytest.raises(ValueError, match="support is 'all'"):
        fit([1, 2, 3], support="all")


def test_fit_matches_igraph():
    try:
        import igraph
    except ImportError:
        missing("peers", "igraph, the peer to compare with, is not installed")
    rng = np.random.default_rng(11)
    for alpha in (1.6, 1.9, 2.2, 2.8, 3.4):
        counts = np.minimum(rng.zipf(alpha, 4000), 2**31)
        theirs = igraph.power_law_fit(counts.tolist(), method="discrete", p_precision=0.5)
        ours = fit(counts)
        assert ours.xmin == theirs.xmin
        assert abs(ours.alpha - theirs.alpha) <= 4e-5
        assert abs(ours.ks - theirs.D) <= 1e-6
        assert abs(ours.loglikelihood - theirs.L) <= 0.01


@pytest.mark.parametrize("support", ["observed", "integers"])
@pytest.mark.parametrize(
    ("name", "alpha", "xmin", "n_tail"),
    [
        ("words.txt", "1.95", 7, 2958),
        ("terrorism.txt", "2.4", 12, 547),
        ("flares.txt", "1.79", 323, 1711),
        ("blackouts.txt", "2.3", 230_000, 59),
    ],
)
def test_published_fits_of_clauset_shalizi_newman_table_6_1(name, alpha, xmin, n_tail, support):
    found = fit(published_counts(name), support=support)
    assert format(found.alpha, f".{len(alpha) - 2}f") == alpha
    assert (found.xmin, found.n_tail) == (xmin, n_tail)


def published_counts(name):
    try:
        files = importlib.metadata.files("powerlaw") or []
    except importlib.metadata.PackageNotFoundError:
        missing("peers", "the paper's data come with the powerlaw package, which is not installed")
    found = [f for f in files if f.name == name]
    if not found:
        missing("peers", f"this version of the powerlaw package comes without {name}")
    return np.loadtxt(str(found[0].locate()))


@pytest.mark.parametrize("base", [2**20, 2**40, 2**48, 2**53 - 8])
def test_steep_tails_at_huge_counts_equal_mpmath(base):
    steps, counts = [0, 1, 2, 5, 7], [50, 20, 9, 2, 1]
    found = fit([base + step for step in steps], counts, xmin=base)
    with mpmath.workdps(50):
        logs = [mpmath.log1p(mpmath.mpf(step) / base) for step in range(400)]
        masses = [mpmath.exp(-mpmath.mpf(found.alpha) * log) for log in logs]
        total = mpmath.fsum(masses)
        expected = mpmath.fsum(mass * log for mass, log in zip(masses, logs, strict=True)) / total
        mean = mpmath.fsum(count * logs[step] for step, count in zip(steps, counts, strict=True)) / sum(counts)
        gaps = [
            abs(mpmath.fsum(masses[step:]) / total - mpmath.mpf(sum(counts[i:])) / sum(counts))
            for i, step in enumerate(steps)
        ]
        value = sum(counts) * (-mpmath.mpf(found.alpha) * mean - mpmath.log(total))
    assert float(mean / expected) == pytest.approx(1, rel=1e-12)
    assert found.ks == pytest.approx(float(max(gaps)), rel=1e-9)
    assert found.loglikelihood == pytest.approx(float(value), rel=1e-12)


def test_the_largest_counts_that_float64_holds_are_fitted_and_the_next_is_refused():
    assert fit([2**53 - 2] * 5 + [2**53 - 1] * 3).alpha > 1e15
    with pytest.raises(ValueError, match="above 2\\*\\*53 - 1"):
        fit([2**53 - 1] * 5 + [2**53] * 3)
