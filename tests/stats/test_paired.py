import numpy as np
import pytest
from scipy import integrate, optimize, stats
from scipy.special import expit, logit

from geoprobe.stats.paired import (
    Difference,
    _detectable,
    _detectable_range,
    _half_widths,
    _Noise,
    mcnemar,
    paired_accuracy,
    paired_losses,
)


def simulate(
    rng: np.random.Generator, seeds: int, questions: int, accuracy: float, spread: float, seed: float, method: float
) -> tuple[np.ndarray, np.ndarray]:
    """Two methods without a true difference between them.

    `spread` is the standard deviation of the questions' difficulty, `seed` that of a run's luck, and `method` that of
    which questions suit the second method, all on the logit scale.
    """
    difficulty = logit(accuracy) + rng.normal(0, spread, questions)
    suits = rng.normal(0, method, questions)
    first, second = rng.normal(0, seed, (2, seeds, 1))
    shape = (seeds, questions)
    return rng.random(shape) < expit(difficulty + first), rng.random(shape) < expit(difficulty + suits + second)


#: Seeds, questions, accuracy, and the three spreads: rare and frequent answers, with and without luck of the seed.
EXPERIMENTS = [
    (2, 395, 0.25, 1.5, 0.3, 0.0),
    (3, 100, 0.03, 1.0, 0.0, 0.0),
    (3, 100, 0.03, 1.0, 0.5, 0.0),
    (3, 395, 0.25, 1.5, 0.0, 0.0),
    (3, 395, 0.25, 1.5, 0.3, 0.0),
    (3, 395, 0.25, 1.5, 0.0, 0.7),
    (3, 1000, 0.5, 2.0, 0.15, 0.5),
    (5, 40, 0.1, 1.0, 0.2, 0.0),
    (5, 395, 0.25, 1.5, 0.3, 0.5),
]


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (0, 1), (3, 3), (2, 9), (40, 61), (0, 12)])
def test_mcnemars_exact_test_matches_scipys_binomial_test(only_first: int, only_second: int) -> None:
    first = np.array([True] * only_first + [False] * only_second + [True, False] * 5)
    second = np.array([False] * only_first + [True] * only_second + [True, False] * 5)
    found = mcnemar(first, second)
    assert (found.only_reference, found.only_method) == (only_first, only_second)
    discordant = only_first + only_second
    expected = stats.binomtest(only_first, discordant, 0.5).pvalue if discordant else 1.0
    assert found.pvalue == pytest.approx(expected)


def test_mcnemars_exact_test_matches_statsmodels() -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    first, second = np.random.default_rng(0).random((2, 200)) < [[0.4], [0.55]]
    table = [[int((first & second).sum()), int((first & ~second).sum())], [int((~first & second).sum()), 1]]
    assert mcnemar(first, second).pvalue == pytest.approx(tables.mcnemar(table, exact=True).pvalue)


def test_the_difference_is_the_mean_over_seeds_and_questions_counted_by_hand() -> None:
    reference = np.array([[1, 0, 0, 1], [0, 0, 0, 1]], dtype=bool)
    method = np.array([[1, 1, 0, 1], [1, 0, 1, 1]], dtype=bool)
    found = paired_accuracy(reference, method, np.random.default_rng(0))
    assert found.value == 3 / 8
    assert (found.seeds, found.questions) == (2, 4)


def test_where_seeds_make_all_the_noise_the_interval_is_students() -> None:
    """Every question alike within a seed: what is left is one number a seed."""
    wins = [620, 560, 700, 590]
    reference = np.zeros((4, 1000), dtype=bool)
    method = np.array([[at < count for at in range(1000)] for count in wins])
    rng = np.random.default_rng(0)
    shuffled = np.array([rng.permutation(row) for row in method])
    found = paired_accuracy(reference, shuffled, rng)
    expected = stats.ttest_1samp(np.array(wins) / 1000, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.005)
    assert found.seed_share is not None
    assert found.seed_share > 0.95


def test_where_questions_make_all_the_noise_the_interval_is_a_plain_bootstraps() -> None:
    """Seeds that answer alike: what is left is resampling questions."""
    rng = np.random.default_rng(2)
    one = rng.choice([-1, 0, 0, 0, 1, 1], 600)
    reference, method = np.tile(one < 0, (6, 1)), np.tile(one > 0, (6, 1))
    found = paired_accuracy(reference, method, rng)
    expected = stats.bootstrap((one,), np.mean, rng=rng, method="percentile").confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.004)
    assert found.seed_share == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("freedom", [1, 2, 4, 30])
@pytest.mark.parametrize(("seeds", "questions"), [(1.0, 0.0), (0.9, 0.1), (1.0, 4.0), (0.02, 3.0), (0.0, 2.0)])
def test_half_widths_of_a_student_plus_a_normal_deviate_hold_95_percent_by_quadrature(
    seeds: float, questions: float, freedom: int
) -> None:
    half = float(_half_widths(np.array([seeds]), questions, freedom)[0])

    def within(t: float) -> float:
        """Probability that the sum is in the interval, given Student's deviate."""
        at = np.sqrt(seeds) * t
        if not questions:
            return float(abs(at) < half)
        low, high = stats.norm.cdf([-half - at, half - at], scale=np.sqrt(questions))
        return float(high - low)

    edges = stats.t.cdf(np.array([-half, half]) / np.sqrt(max(seeds, 1e-9)), freedom)
    mass, _ = integrate.quad(lambda u: within(stats.t.ppf(u, freedom)), 0, 1, points=[*edges, 0.5], limit=500)
    assert mass == pytest.approx(0.95, abs=0.0005)


def test_the_variance_of_seeds_and_of_questions_match_the_two_way_table_counted_by_hand() -> None:
    reference = np.zeros((3, 4), dtype=bool)
    method = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]], dtype=bool)
    found = paired_accuracy(reference, method, np.random.default_rng(0))
    # means by seed 1/2, 3/4, 1/4: variance 1/16, of their mean 1/48; questions 1, 2/3, 1/3, 0: variance 5/27,
    # of their mean 5/108; squares of the rest 5/6 over 6 degrees of freedom, of the mean a twelfth of that
    residual = (5 / 6) / 6 / 12
    floor = residual * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 2)) ** 2
    own = 5 / 108 - residual + 2 / 16
    seeds = max(1 / 48, floor)
    assert found.seed_share == pytest.approx(seeds / (seeds + own))


def test_the_detectable_difference_of_many_seeds_is_the_textbooks_for_a_normal_mean() -> None:
    found = _detectable(_Noise(seeds=0.09, floor=0.0, questions=0.0), 4000, np.random.default_rng(0))
    assert found == pytest.approx((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * 0.3, rel=0.03)


@pytest.mark.parametrize("seeds", [3, 5])
def test_the_detectable_difference_of_few_seeds_is_that_of_simulated_repetitions(seeds: int) -> None:
    """Seeds make all the noise: of its variance only so many seeds' worth is known, and as few will be repeated."""
    rng = np.random.default_rng(5)
    variance = (seeds - 1) / rng.chisquare(seeds - 1, 40_000)  # of a mean, by what was seen of it
    repeated = rng.standard_normal((40_000, seeds)) * np.sqrt(variance * seeds)[:, None]
    half = stats.t.ppf(0.975, seeds - 1) * repeated.std(axis=1, ddof=1) / np.sqrt(seeds)
    expected = np.quantile(half - repeated.mean(axis=1), 0.8)  # what shifts four of five beyond their half-width
    found = _detectable(_Noise(seeds=1.0, floor=0.0, questions=0.0), seeds, np.random.default_rng(0), 40_000)
    assert found == pytest.approx(expected, rel=0.06)


def test_the_detectable_difference_of_many_questions_and_seeds_is_the_textbooks() -> None:
    """Questions make all the noise, and forty seeds show how little their own is."""
    one = np.random.default_rng(2).choice([-1, 0, 0, 0, 1, 1], 2000)
    reference, method = np.tile(one < 0, (40, 1)), np.tile(one > 0, (40, 1))
    found = paired_accuracy(reference, method, np.random.default_rng(0))
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert found.detectable == pytest.approx(z * one.std() / np.sqrt(2000), rel=0.03)


@pytest.mark.parametrize("replicates", [39, 40, 78, 79, 100, 199, 1000])
def test_the_interval_holds_zero_exactly_where_p_is_above_five_in_a_hundred(replicates: int) -> None:
    """On simulated sets about the border, where the two could part."""
    rng = np.random.default_rng(replicates)
    significant = near = 0
    for _ in range(120):
        reference, method = simulate(rng, 4, 40, 0.4, 1.0, 0.0, 0.3)
        method |= rng.random(method.shape) < rng.uniform(0.15, 0.35)
        found = paired_accuracy(reference, method, rng, replicates=replicates)
        assert found.low is not None
        assert found.high is not None
        assert found.pvalue is not None
        assert (found.low <= 0 <= found.high) == (found.pvalue > 0.05)
        significant += found.pvalue <= 0.05
        near += 0.02 < found.pvalue < 0.1
    assert 10 < significant < 110
    assert near > 10


def test_exchanging_the_methods_turns_the_sign() -> None:
    reference, method = simulate(np.random.default_rng(3), 4, 300, 0.3, 1.0, 0.2, 0.3)
    there = paired_accuracy(reference, method, np.random.default_rng(0))
    back = paired_accuracy(method, reference, np.random.default_rng(0))
    assert back.value == -there.value
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=0.004)  # type: ignore[operator]
    assert back.detectable == pytest.approx(there.detectable, rel=0.03)


def test_the_same_seed_gives_the_same_numbers() -> None:
    outcomes = simulate(np.random.default_rng(3), 3, 100, 0.3, 1.0, 0.2, 0.3)
    assert paired_accuracy(*outcomes, np.random.default_rng(5)) == paired_accuracy(*outcomes, np.random.default_rng(5))


def test_where_nothing_is_right_the_interval_has_a_width() -> None:
    wrong = np.zeros((3, 100), dtype=bool)
    found = paired_accuracy(wrong, wrong, np.random.default_rng(0))
    assert found.value == 0
    assert found.low is not None
    assert found.high is not None
    assert found.low < -0.02 < 0.02 < found.high  # the exact upper bound for 0 of 100 is 0.036
    assert found.high < 0.05
    assert found.detectable is not None
    assert found.detectable > found.high
    assert found.pvalue == pytest.approx(1, abs=0.1)


def test_seeds_whose_few_wins_are_equal_by_chance_give_no_certainty() -> None:
    reference = np.zeros((3, 50), dtype=bool)
    method = reference.copy()
    method[[0, 1, 2], [4, 20, 33]] = True
    found = paired_accuracy(reference, method, np.random.default_rng(0))
    assert found.low is not None
    assert found.low < 0 < found.value


def test_one_seed_gives_a_difference_and_nothing_more() -> None:
    right = np.ones((1, 200), dtype=bool)
    found = paired_accuracy(~right, right, np.random.default_rng(0))
    assert found == Difference(1.0, None, None, None, None, 1, 200)


def test_one_question_is_enough_to_be_unsure() -> None:
    right = np.ones((3, 1), dtype=bool)
    found = paired_accuracy(~right, right, np.random.default_rng(0))
    assert found.value == 1
    assert found.low is not None
    assert found.low < 0


def test_equal_losses_differ_by_nothing() -> None:
    found = paired_losses(np.zeros((3, 5)), np.ones(5), np.random.default_rng(0))
    assert (found.value, found.low, found.high, found.pvalue, found.detectable) == (0, 0, 0, 1, 0)


@pytest.mark.usefixtures("unchecked")
def test_what_cannot_be_paired_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"\(2, 3\) and method \(2, 4\)"):
        paired_accuracy(np.ones((2, 3), dtype=bool), np.ones((2, 4), dtype=bool), rng)
    with pytest.raises(ValueError, match="0 seeds and 3 questions"):
        paired_accuracy(np.ones((0, 3), dtype=bool), np.ones((0, 3), dtype=bool), rng)
    with pytest.raises(ValueError, match="replicates is 38; an interval at 95% needs at least 39"):
        paired_accuracy(np.ones((2, 3), dtype=bool), np.ones((2, 3), dtype=bool), rng, replicates=38)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_without_a_true_difference_one_is_found_at_most_five_times_in_a_hundred(experiment: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    repetitions, alarms, uncertain = 1000, 0, 0
    for _ in range(repetitions):
        found = paired_accuracy(*simulate(rng, *experiment), rng, replicates=2000)  # type: ignore[arg-type]
        assert found.low is not None
        assert found.high is not None
        alarms += found.low > 0 or found.high < 0
        uncertain += found.pvalue is not None and found.pvalue <= 0.05
    assert alarms <= stats.binom.ppf(0.999, repetitions, 0.05)
    assert alarms == uncertain  # interval and p-value say the same


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [each for each in EXPERIMENTS if each[0] > 2 and each[1] > 100])
def test_the_stated_smallest_detectable_difference_is_found_four_times_in_five(experiment: tuple[float, ...]) -> None:
    """A repetition in which the second method truly gains what the first experiment said it could see."""
    rng = np.random.default_rng(1)
    accuracy = np.mean([simulate(rng, *experiment)[0].mean() for _ in range(300)])  # type: ignore[arg-type]
    found = []
    for _ in range(500):
        stated = paired_accuracy(*simulate(rng, *experiment), rng, replicates=1000).detectable  # type: ignore[arg-type]
        assert stated is not None
        if stated < 1 - accuracy:  # else no gain is as large
            reference, method = simulate(rng, *experiment)  # type: ignore[arg-type]
            method |= rng.random(method.shape) < stated / (1 - accuracy)
            repeated = paired_accuracy(reference, method, rng, replicates=1000)
            found.append(repeated.low is not None and repeated.low > 0)
    assert len(found) > 250
    assert 0.74 < np.mean(found) < 0.92


def _losses(rng: np.random.Generator, seeds: int, spread: float, draw: str = "normal") -> tuple[np.ndarray, np.ndarray]:
    """Differences in the losses of 40 examples by two methods without a true difference, and the examples' tokens.

    `spread` is the standard deviation of what an example prefers, in nats; seeds differ by 0.0014, as on the demo.
    """
    examples = {"normal": rng.standard_normal, "laplace": lambda size: rng.laplace(size=size) / 2**0.5}[draw](40)
    differences = (
        spread * examples + rng.normal(0, 0.0014, (seeds, 1)) + 0.3 * spread * rng.standard_normal((seeds, 40))
    )
    return differences, rng.integers(10, 90, 40).astype(float)


def test_a_difference_in_losses_is_the_mean_over_tokens_counted_by_hand() -> None:
    differences = np.array([[0.1, 0.2, -0.3], [0.3, 0.0, 0.1]])
    found = paired_losses(differences, np.array([1.0, 2.0, 7.0]), np.random.default_rng(0))
    assert found.value == pytest.approx(((0.1 + 0.4 - 2.1) + (0.3 + 0.7)) / 20)
    assert (found.seeds, found.questions) == (2, 3)


def test_the_examples_part_of_the_interval_is_the_ratio_estimators_of_a_textbook() -> None:
    rng = np.random.default_rng(5)
    one, tokens = rng.normal(0.01, 0.02, 2000), rng.integers(5, 90, 2000).astype(float)
    found = paired_losses(np.tile(one, (3, 1)), tokens, rng)
    mean = float((one * tokens).sum() / tokens.sum())
    error = np.sqrt((((one - mean) * tokens) ** 2).sum()) / tokens.sum()  # Cochran's, of a mean over tokens
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.03)


def test_few_examples_widen_the_interval_to_students_on_their_effective_number() -> None:
    """Seeds alike, so that examples make all the noise; a third of these weighs as good as nothing."""
    one = stats.norm.ppf((np.arange(8) + 0.5) / 8)
    tokens = np.full(8, 50.0)
    found = paired_losses(np.tile(one, (30, 1)), tokens, np.random.default_rng(0), replicates=40_000)
    assert found.low is not None
    assert found.high is not None
    half = stats.t.ppf(0.975, 7) * one.std(ddof=1) / np.sqrt(8)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.04)
    light = paired_losses(
        np.tile(np.append(one, np.zeros(4)), (30, 1)),
        np.append(tokens, np.full(4, 1e-9)),
        np.random.default_rng(0),
        replicates=40_000,
    )
    assert light.high is not None
    assert light.high == pytest.approx(
        stats.t.ppf(0.975, 7) / stats.norm.ppf(0.975) * 1.96 * one.std() / 8**0.5, rel=0.1
    )


@pytest.mark.parametrize("sign", [-1, 1])
def test_what_two_methods_differ_by_less_than_is_the_farther_end_of_the_90_percent_interval(sign: int) -> None:
    rng = np.random.default_rng(9)
    one = sign * rng.choice([-1, 0, 0, 0, 1, 1], 600)
    found = paired_accuracy(np.tile(one < 0, (9, 1)), np.tile(one > 0, (9, 1)), rng)
    expected = abs(one.mean()) + stats.norm.ppf(0.95) * one.std() / np.sqrt(600)
    assert found.equivalent == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("seeds", [3, 6])
def test_the_range_of_the_detectable_difference_is_between_the_80_percent_limits_of_the_seeds_variance(
    seeds: int,
) -> None:
    """Where seeds make all the noise it goes with their deviation: its limits by scipy's chi-squared, times power's."""
    found = _detectable_range(_Noise(seeds=0.25, floor=0.0, questions=0.0), seeds, np.random.default_rng(0))
    freedom = seeds - 1
    # of a t test of so many seeds; its power by scipy's noncentral t
    shift = optimize.brentq(lambda at: stats.nct.sf(stats.t.ppf(0.975, freedom), freedom, at) - 0.8, 0.1, 30)
    limits = [0.5 * shift * np.sqrt(freedom / stats.chi2.ppf(share, freedom)) for share in (0.9, 0.1)]
    assert found == pytest.approx(limits, rel=0.03)


def test_losses_of_another_number_of_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="3 examples and tokens of 2"):
        paired_losses(np.zeros((2, 3)), np.ones(2), np.random.default_rng(0))


def test_a_wider_margin_than_the_interval_is_never_needed_to_call_two_methods_equal() -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        found = paired_losses(*_losses(rng, 3, 0.02), rng)
        assert found.equivalent is not None
        assert found.low is not None
        assert found.high is not None
        assert abs(found.value) < found.equivalent < max(abs(found.low), abs(found.high))
        assert found.detectable_low is not None
        assert found.detectable is not None
        assert found.detectable_high is not None
        assert found.detectable_low < found.detectable < found.detectable_high


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["normal", "laplace"])
@pytest.mark.parametrize("spread", [0.01, 0.02, 0.05])
@pytest.mark.parametrize("seeds", [3, 5])
def test_losses_of_forty_examples_without_a_true_difference_differ_at_most_five_times_in_a_hundred(
    seeds: int, spread: float, draw: str
) -> None:
    """The t test over seeds, which takes these examples for all there are, says so up to 70 times."""
    rng, repetitions = np.random.default_rng(7), 400
    alarms, over_seeds, beyond = 0, 0, 0
    for _ in range(repetitions):
        differences, tokens = _losses(rng, seeds, spread, draw)
        found = paired_losses(differences, tokens, rng, replicates=1999)
        alarms += (found.pvalue or 0) <= 0.05
        beyond += (found.equivalent or 0) <= 0
        over_seeds += stats.ttest_1samp(differences @ tokens / tokens.sum(), 0).pvalue <= 0.05
    assert alarms <= stats.binom.ppf(0.999, repetitions, 0.05)
    assert beyond == 0
    if spread > 0.01:
        assert over_seeds > 0.25 * repetitions


@pytest.mark.slow
def test_the_margin_holds_the_true_difference_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(8)
    held = []
    for _ in range(400):
        differences, tokens = _losses(rng, 3, 0.02)
        found = paired_losses(differences + 0.01, tokens, rng, replicates=1999)
        held.append((found.equivalent or 0) >= 0.01)
    assert np.mean(held) >= 0.93


@pytest.mark.slow
def test_a_naive_bootstrap_of_three_seeds_would_be_far_too_sure() -> None:
    """Why the seeds' part is Student's."""
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(400):
        reference, method = simulate(rng, 3, 395, 0.25, 1.5, 0.6, 0.0)
        differences = method.astype(float) - reference
        seeds = rng.integers(3, size=(500, 3))
        questions = rng.integers(395, size=(500, 395))
        by_seed = [differences[s][:, q].mean() for s, q in zip(seeds, questions, strict=True)]
        low, high = np.quantile(by_seed, [0.025, 0.975])
        alarms += low > 0 or high < 0
    assert alarms / 400 > 0.12
