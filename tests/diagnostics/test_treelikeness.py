import numpy as np
import pytest
from builders import scan_inputs

from geoprobe.diagnostics.hyperbolicity.analyzer import HyperbolicityAnalyzer
from geoprobe.diagnostics.hyperbolicity.treelikeness import MATCHED, ROTATED, TreeLikeness, measure
from geoprobe.errors import UsageError
from geoprobe.stats.spaces import clusters, hierarchy

RNG = np.random.default_rng
WORDS = [f"w{row}" for row in range(240)]
TEXTS = [" ".join(RNG(row).permutation(WORDS)[:24]) for row in range(30)]


def measured(vectors: np.ndarray, *, draws: int = 79, seed: int = 0, sets: int = 3) -> TreeLikeness:
    rows = np.concatenate([np.zeros((1, vectors.shape[1])), vectors]).astype(np.float32)
    inputs = scan_inputs(TEXTS, words=WORDS, vectors=rows)
    prompts = list(inputs.prompts[0].ids[:12])
    return measure(inputs, prompts, n_tokens=48, sets=sets, nested_sets=4, replicates=draws, rng=RNG(seed))


def test_a_gaussian_vocabulary_is_explained_by_its_covariance_and_norms() -> None:
    scales = np.geomspace(3, 0.1, 48)
    found = measured(RNG(1).standard_normal((240, 48)) * scales + 4.0)
    assert not any(test.more_treelike for test in found.tests)
    assert all(abs(test.z or 0) < 4 for test in found.tests)
    assert found.vocabulary_nesting is not None
    assert found.vocabulary_nesting.answer is False


def test_random_directions_of_spread_norms_are_explained_in_a_thousand_dimensions() -> None:
    """Rows mixed with their lengths lie at z = -7 here, one set of 48 beside its own rotation."""
    vectors = RNG(2).standard_normal((240, 1024)) * np.exp(0.4 * RNG(3).standard_normal((240, 1)))
    found = measured(vectors)
    assert not any(test.more_treelike for test in found.tests)
    assert abs(found.test("random tokens", "Holland", ROTATED).z or 0) < 4


def test_a_hierarchy_is_more_treelike_than_its_covariance_and_norms_explain_and_a_tree_its_best_account() -> None:
    found = measured(hierarchy(240, 64, RNG(2)))
    for subject in ("prompts", "random tokens", "prompt tokens"):
        holland = found.test(subject, "Holland", ROTATED)
        assert holland.more_treelike
        assert holland.z is not None
        assert holland.z < -5
        assert holland.draws == 79
        assert holland.low is not None
        assert holland.low < holland.observed < (holland.high or 0)
    assert found.vocabulary_nesting is not None
    assert found.vocabulary_nesting.answer is True


@pytest.mark.parametrize(("count", "answers"), [(6, {False, None}), (40, {False})])
def test_the_best_account_of_flat_clusters_is_clusters(count: int, answers: set[bool | None]) -> None:
    """Of six clusters four sets tell in about half of all draws; never the other way."""
    found = measured(clusters(240, 64, RNG(3), count=count))
    nesting = found.vocabulary_nesting
    assert nesting is not None
    assert nesting.answer in answers
    assert nesting.clusters > nesting.tree


def test_drawing_stops_where_it_is_clear() -> None:
    found = measured(RNG(1).standard_normal((240, 48)), draws=199)
    assert all(test.draws is not None and test.draws < 199 for test in found.tests if test.pvalue > 0.3)


def test_draws_that_cannot_reject_are_refused() -> None:
    with pytest.raises(UsageError, match="With 78 draws none of 4 tests can reject"):
        measured(RNG(1).standard_normal((240, 8)), draws=78)
    with pytest.raises(UsageError, match="Give at least 79 draws"):
        HyperbolicityAnalyzer(draws=20).run(scan_inputs(TEXTS, words=WORDS), RNG(0))


def test_a_small_vocabulary_is_one_set() -> None:
    rows = RNG(1).standard_normal((21, 12)).astype(np.float32)
    words = WORDS[:20]
    inputs = scan_inputs([" ".join(words)] * 12, words=words, vectors=rows)
    found = measure(inputs, inputs.prompts[0].ids[:3], n_tokens=64, sets=6, nested_sets=4, replicates=79, rng=RNG(0))
    assert (found.n_sets, found.n_tokens) == (1, 20)
    assert found.tests[0].low is None
    assert found.vocabulary_nesting is not None
    assert found.vocabulary_nesting.answer is None


@pytest.mark.slow
def test_prompts_that_share_tokens_are_drawn_together() -> None:
    """z of prompts of Gaussian vectors has unit spread though a Zipfian fifth of the tokens is in every prompt."""
    likely = 1 / np.arange(1, 241)
    texts = [" ".join(RNG(row).choice(WORDS, 40, p=likely / likely.sum())) for row in range(30)]
    found = []
    for seed in range(60):
        inputs = scan_inputs(texts, words=WORDS, vectors=RNG(seed).standard_normal((241, 32)).astype(np.float32))
        tree = measure(
            inputs, inputs.prompts[0].ids[:12], n_tokens=48, sets=1, nested_sets=1, replicates=79, rng=RNG(seed)
        )
        found.append([tree.test("prompts", "Holland", null).z for null in (ROTATED, MATCHED)])
    spread = np.std(np.array(found, dtype=float), axis=0)
    assert (spread < 1.3).all()
    assert (spread > 0.7).all()


def test_moving_the_origin_changes_no_test() -> None:
    vectors = hierarchy(240, 32, RNG(4), noise=1.0)
    here, there = measured(vectors), measured(vectors + 64.0)
    for one, other in zip(here.tests, there.tests, strict=True):
        assert one.observed == pytest.approx(other.observed, abs=1e-4)
        assert one.null_mean == pytest.approx(other.null_mean, abs=0.02)


@pytest.fixture(scope="module")
def gaussian() -> TreeLikeness:
    return measured(RNG(1).standard_normal((240, 48)))


def test_the_ladder_has_the_tokens_among_known_spaces_from_tree_to_noise(gaussian: TreeLikeness) -> None:
    values = [rung.holland for rung in gaussian.ladder]
    assert values == sorted(values)
    places = {rung.name: rung.holland for rung in gaussian.ladder}
    assert places["tree"] == pytest.approx(0, abs=1e-9)
    assert places["random tokens"] == pytest.approx(places["Gaussian"], abs=0.05)
    assert {rung.name for rung in gaussian.ladder if rung.treelike is None} == {"random tokens", "prompt tokens"}


def test_delta_grows_with_the_number_of_points_and_holland_does_not(gaussian: TreeLikeness) -> None:
    first, last = gaussian.sizes[0], gaussian.sizes[-1]
    assert [point.n for point in gaussian.sizes] == [16, 32, 64, 128]
    assert all(point.holland_sd is not None and 0 < point.holland_sd < 0.1 for point in gaussian.sizes[:-1])
    assert last.relative_delta > first.relative_delta
    assert last.holland == pytest.approx(first.holland, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "label"), [("hierarchy", "supported"), ("gaussian", "not supported"), ("clusters", "not supported")]
)
def test_the_verdict_tells_a_hierarchy_from_clusters_and_a_cloud(kind: str, label: str) -> None:
    made = {
        "hierarchy": lambda rng: hierarchy(241, 64, rng),
        "gaussian": lambda rng: rng.standard_normal((241, 64)),
        "clusters": lambda rng: clusters(241, 64, rng, count=12),
    }
    inputs = scan_inputs(TEXTS, words=WORDS, vectors=made[kind](RNG(5)).astype(np.float32))
    analyzer = HyperbolicityAnalyzer(tokens=48, sets=4, tested=12, replicates=19, draws=79, shown="off")
    result = analyzer.run(inputs, RNG(0))
    assert result.verdict.label == label
    assert result.estimate.interval is not None
    # its words all have one frequency, so no prompt can be more tree-like than others of equal frequency
    assert "Prompts are no more tree-like than other tokens of equal frequency" in result.verdict.reason


@pytest.mark.slow
def test_rejections_of_gaussians_keep_their_level() -> None:
    """5% of Gaussian vocabularies, whatever n/d, are called more tree-like than their covariance and norms explain."""
    for dimension in (2, 16, 96, 512):
        pvalues = []
        for seed in range(60):
            vectors = RNG([dimension, seed]).standard_normal((240, dimension))
            pvalues.append(measured(vectors, seed=seed).test("random tokens", "Holland", ROTATED).pvalue)
        assert np.mean(np.array(pvalues) <= 0.05) <= 0.15  # 60 samples: within three standard errors of 5%
