"""Each alternative's likelihood against its definition, and its maximum against a general optimiser."""

import mpmath
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import gammaln, ndtr

from geoprobe.stats.powerlaw import compare, fit, survival
from geoprobe.stats.powerlaw.alternatives import NAMES
from geoprobe.stats.powerlaw.tilted_kernels import CUTOFF, LOGNORMAL, tilted_sums

# sums run over these; what lies beyond is added as an integral, or telescopes
GRID = np.arange(1, 40_001, dtype=np.float64)


def samples():
    rng = np.random.default_rng(31)
    lognormal = np.maximum(1, np.round(np.exp(rng.normal(2.0, 1.1, 4000)))).astype(np.int64)
    return {
        "lognormal": lognormal,
        "geometric": rng.geometric(0.03, 3000),
        "weibull": np.ceil(40 * rng.exponential(size=3000) ** (1 / 0.6)).astype(np.int64),
        "cutoff": cutoff_sample(rng, 1.6, 0.01, 3000),
    }


def cutoff_sample(rng, alpha, rate, n):
    weights = GRID**-alpha * np.exp(-rate * GRID)
    return rng.choice(GRID, n, p=weights / weights.sum()).astype(np.int64)


def log_weights(name, parameters, x):
    """Unnormalised log-probabilities, from the definitions."""
    if name == "lognormal":
        mu, sigma = parameters
        return -np.log(x) - (np.log(x) - mu) ** 2 / (2 * sigma**2)
    if name == "exponential":
        return -parameters[0] * x
    if name == "power_law_with_cutoff":
        return -parameters[0] * np.log(x) - parameters[1] * x
    if name == "yule":
        return gammaln(x) - gammaln(x + parameters[0])
    rate, beta = parameters
    return -rate * x**beta + np.log(-np.expm1(-rate * ((x + 1) ** beta - x**beta)))


def beyond_grid(name, parameters):
    """Sum of the weights above the grid."""
    end = GRID[-1]
    if name == "lognormal":
        mu, sigma = parameters
        return np.sqrt(2 * np.pi) * sigma * ndtr((mu - np.log(end + 0.5)) / sigma)
    if name == "stretched_exponential":
        rate, beta = parameters
        return np.exp(-rate * (end + 1) ** beta)
    return 0.0


def log_likelihood(name, parameters, values, counts, xmin):
    x = GRID[int(xmin) - 1 :]
    weights = log_weights(name, parameters, x)
    top = weights.max()
    norm = top + np.log(np.exp(weights - top).sum() + beyond_grid(name, parameters) * np.exp(-top))
    return float(np.dot(counts, log_weights(name, parameters, values) - norm))


@pytest.mark.parametrize("xmin", [1, 6])
@pytest.mark.parametrize("sample", ["lognormal", "geometric", "weibull", "cutoff"])
@pytest.mark.parametrize("name", [n for n in NAMES if n != "yule"])
def test_loglikelihood_matches_the_definition_and_no_optimiser_beats_it(name, sample, xmin):
    counts = samples()[sample]
    row = compare(counts, xmin=xmin)[name]
    if row.degenerate:
        pytest.fail(f"{name} should have a maximum inside its parameters on {sample} counts")
    values, weights = np.unique(counts[counts >= xmin], return_counts=True)
    values = values.astype(np.float64)
    best = np.array(list(row.parameters.values()))
    assert row.loglikelihood == pytest.approx(log_likelihood(name, best, values, weights, xmin), abs=1e-6)

    def loss(p):
        if np.any(p[1:] <= 0):
            return np.inf
        with np.errstate(all="ignore"):
            value = -log_likelihood(name, p, values, weights, xmin)
        return value if np.isfinite(value) else np.inf

    found = minimize(loss, best * 1.1, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8})
    assert -found.fun <= row.loglikelihood + 1e-6


@pytest.mark.parametrize(("alpha", "xmin"), [(1.7, 1), (2.6, 1), (2.2, 9)])
def test_yule_matches_mpmath_and_recovers_the_truth(alpha, xmin):
    rng = np.random.default_rng(5)
    # Yule–Simon above xmin is a geometric law whose log-failure is exponential
    counts = xmin - 1 + rng.geometric(np.exp(-rng.exponential(size=20_000) / (alpha - 1)))
    row = compare(np.minimum(counts, 10**12), xmin=xmin)["yule"]
    if xmin == 1:
        assert row.parameters["alpha"] == pytest.approx(alpha, abs=0.05)
    values, weights = np.unique(counts, return_counts=True)
    with mpmath.workdps(30):
        # the log-likelihood is smooth and has one maximum
        def value(a):
            constant = mpmath.log(a - 1) + mpmath.loggamma(xmin + a - 1) - mpmath.loggamma(xmin)
            terms = (
                int(w) * (mpmath.loggamma(int(v)) - mpmath.loggamma(int(v) + a))
                for v, w in zip(values, weights, strict=True)
            )
            return mpmath.fsum(terms) + len(counts) * constant

        at = mpmath.mpf(row.parameters["alpha"])
        here = value(at)
        h = mpmath.mpf("1e-4")
        slope = (value(at + h) - value(at - h)) / (2 * h)
        curve = (value(at + h) - 2 * here + value(at - h)) / h**2
    assert row.loglikelihood == pytest.approx(float(here), abs=1e-6)
    assert abs(slope / curve) < 1e-7
    assert curve < 0


@pytest.mark.parametrize(
    ("kind", "a", "b", "q"),
    [
        (CUTOFF, 1.5, 1e-3, 1),
        (CUTOFF, 0.5, 1e-6, 7),
        (CUTOFF, -1.0, 1e-2, 1),
        (CUTOFF, 2.5, 1e-8, 56),
        (CUTOFF, 1.9, 3.0, 2),
        (LOGNORMAL, 1.5, 0.05, 1),
        (LOGNORMAL, -3.0, 0.5, 1),
        (LOGNORMAL, -30.0, 10.0, 1),
        (LOGNORMAL, 2.0, 1e-4, 10),
        (LOGNORMAL, 0.5, 1e-2, 300),
    ],
)
def test_normalising_sums_match_mpmath(kind, a, b, q):
    with mpmath.workdps(30):

        def term(x):
            y = mpmath.log(mpmath.mpf(x) / q)
            h = x - q if kind == CUTOFF else y * y
            return mpmath.exp(-mpmath.mpf(a) * y - mpmath.mpf(b) * h), y, h

        end = q + 2000
        head = [term(x) for x in range(q, end)]
        found = []
        for weight in (lambda f, y, h: f, lambda f, y, h: f * y, lambda f, y, h: f * h):

            def part(x, weight=weight):
                return weight(*term(x))

            integral = mpmath.quad(
                lambda u, part=part: part(end * mpmath.exp(u)) * end * mpmath.exp(u),
                [0, 1, 2, 4, 7, 11, 16, 25, 50, 150],
            )
            edge = part(end) / 2 - mpmath.diff(part, end) / 12 + mpmath.diff(part, end, 3) / 720
            found.append(mpmath.fsum(weight(*t) for t in head) + integral + edge)
        log_z, mean_y, mean_h = mpmath.log(found[0]), found[1] / found[0], found[2] / found[0]
    ours = tilted_sums(kind, a, b, float(q))
    assert ours[0] == pytest.approx(float(log_z), rel=1e-13)
    assert ours[1] == pytest.approx(float(mean_y), rel=1e-13)
    assert ours[2] == pytest.approx(float(mean_h), rel=1e-12)


def test_variances_of_the_tilted_family_match_differences_of_its_means():
    for kind, a, b in [(CUTOFF, 1.4, 0.02), (LOGNORMAL, 0.3, 0.2)]:
        _, _, _, vyy, vyh, vhh = tilted_sums(kind, a, b, 3.0)
        h = 1e-5
        up, down = tilted_sums(kind, a + h, b, 3.0), tilted_sums(kind, a - h, b, 3.0)
        assert -(up[1] - down[1]) / (2 * h) == pytest.approx(vyy, rel=1e-6)
        assert -(up[2] - down[2]) / (2 * h) == pytest.approx(vyh, rel=1e-6)
        h *= b
        up, down = tilted_sums(kind, a, b + h, 3.0), tilted_sums(kind, a, b - h, 3.0)
        assert -(up[2] - down[2]) / (2 * h) == pytest.approx(vhh, rel=1e-6)


@pytest.mark.parametrize("name", ["lognormal", "stretched_exponential", "power_law_with_cutoff"])
def test_families_collapse_into_the_power_law_where_the_tail_is_heavier(name):
    # half of one zeta law and half of a flatter one: bent upwards, so every bend downwards makes it worse
    rng = np.random.default_rng(2)
    counts = np.r_[rng.zipf(4.5, 6000), np.minimum(rng.zipf(2.1, 600), 10**7)]
    row = compare(counts, xmin=1)[name]
    if name == "power_law_with_cutoff":
        # its maximum lies at rate 0 only where the mean of the fitted law is finite and below the data's
        assert row.degenerate == (counts.mean() > zeta_mean(fit(counts, xmin=1).alpha))
    assert row.degenerate
    assert row.parameters == {}
    assert row.limit is not None
    assert row.favours == "neither"
    if name != "stretched_exponential":
        assert (row.loglikelihood_ratio, row.pvalue) == (0.0, 1.0)
    with pytest.raises(ValueError, match="degenerate"):
        survival(row.distribution, [1, 2])


def zeta_mean(alpha):
    return float(mpmath.zeta(alpha - 1) / mpmath.zeta(alpha)) if alpha > 2 else np.inf


@pytest.mark.parametrize("sample", ["lognormal", "geometric", "weibull", "cutoff"])
def test_survival_curves_are_the_sums_of_the_definitions(sample):
    counts = samples()[sample]
    at = np.array([4.0, 5.0, 17.0, 120.0])
    compared = compare(counts, xmin=4)
    for row in compared:
        weights = np.exp(log_weights(row.name, list(row.parameters.values()), GRID[3:]))
        if row.name == "yule":
            # too heavy to be summed on the grid
            a = row.parameters["alpha"]
            expected = np.exp(gammaln(at) - gammaln(at + a - 1) + gammaln(4 + a - 1) - gammaln(4))
        else:
            beyond = np.cumsum(weights[::-1])[::-1] + beyond_grid(row.name, list(row.parameters.values()))
            expected = beyond[(at - 4).astype(int)] / beyond[0]
        np.testing.assert_allclose(survival(row.distribution, at), expected, rtol=1e-9)
    law = fit(counts, xmin=4)
    with mpmath.workdps(30):
        expected = [float(mpmath.zeta(law.alpha, int(x)) / mpmath.zeta(law.alpha, 4)) for x in at]
    np.testing.assert_allclose(survival(law, at), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="below xmin = 4"):
        survival(law, [3])


def test_lognormal_parameters_recover_the_truth():
    # rounding to the nearest integer differs little from the density at the integer where counts are large
    rng = np.random.default_rng(9)
    counts = np.round(np.exp(rng.normal(6.0, 0.8, 20_000))).astype(np.int64)
    found = compare(np.maximum(counts, 1), xmin=1)["lognormal"].parameters
    assert found["mu"] == pytest.approx(6.0, abs=0.03)
    assert found["sigma"] == pytest.approx(0.8, abs=0.02)
    assert ndtr(-found["mu"] / found["sigma"]) < 1e-6


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ([1] * 30 + [2] * 8 + [3], "3 distinct counts do not determine a bend"),
        (10**9 + np.arange(40), "too narrow"),
    ],
)
def test_tails_that_determine_no_bend_say_so(counts, reason):
    rows = compare(counts, xmin=int(min(counts)))
    for name in ("lognormal", "stretched_exponential", "power_law_with_cutoff"):
        assert rows[name].degenerate
        assert reason in rows[name].limit
        assert rows[name].favours == "neither"
    assert not rows["exponential"].degenerate


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("shape", [45, 49, 50, 51])
def test_a_steep_stretched_exponential_far_from_one_has_the_closed_forms_survival_or_a_reason(shape, seed):
    q = 10**6
    drawn = np.random.default_rng(seed).random(2000)
    counts = np.floor(q * (1 - np.log(drawn) / 3) ** (1 / shape)).astype(np.int64)
    row = compare(counts, xmin=q)["stretched_exponential"]
    assert np.isfinite([row.loglikelihood, row.loglikelihood_ratio, row.statistic, row.pvalue]).all()
    assert row.degenerate == (seed == 1 and shape > 45)
    if row.degenerate:
        assert "not fitted" in row.limit
        return
    rate, beta = row.parameters["rate"], row.parameters["beta"]
    at = np.array([q, q + 3000, q + 12_000, q + 30_000, 10**12])
    with mpmath.workdps(40):
        of_the_fit = [float(mpmath.exp(-rate * (mpmath.mpf(int(x)) ** beta - mpmath.mpf(q) ** beta))) for x in at]
    np.testing.assert_allclose(survival(row.distribution, at), of_the_fit, rtol=1e-9)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(of_the_fit, np.exp(-3 * ((at / q) ** shape - 1)), atol=0.02)


def test_counts_far_above_a_low_bound_give_numbers_or_a_reason():
    rng = np.random.default_rng(1)
    for low in (10**3, 10**6, 10**9, 10**14):
        for row in compare(low + rng.integers(0, 60, 500), xmin=1):
            assert np.isfinite([row.loglikelihood, row.loglikelihood_ratio, row.statistic, row.pvalue]).all()
            assert row.degenerate == (row.limit is not None)
