import numpy as np
import pytest
from builders import scan_inputs

from geoprobe.diagnostics.hyperbolicity.analyzer import HyperbolicityAnalyzer
from geoprobe.diagnostics.hyperbolicity.treelikeness import CLUSTERED, ROTATED, TreeLikeness, measure
from geoprobe.stats.spaces import clusters, hierarchy

RNG = np.random.default_rng
WORDS = [f"w{row}" for row in range(240)]
TEXTS = [" ".join(RNG(row).permutation(WORDS)[:24]) for row in range(30)]


def measured(vectors: np.ndarray, *, draws: int = 99, seed: int = 0) -> TreeLikeness:
    rows = np.concatenate([np.zeros((1, vectors.shape[1])), vectors]).astype(np.float32)
    inputs = scan_inputs(TEXTS, words=WORDS, vectors=rows)
    return measure(inputs, list(inputs.prompts[0].ids[:12]), n_tokens=96, replicates=draws, rng=RNG(seed))


def test_a_gaussian_vocabulary_is_explained_by_its_covariance_and_norms() -> None:
    scales = np.geomspace(3, 0.1, 48)
    found = measured(RNG(1).standard_normal((240, 48)) * scales + 4.0)
    assert not any(test.more_treelike for test in found.tests if test.null == ROTATED)
    assert all(abs(test.z or 0) < 4 for test in found.tests if test.null == ROTATED)


def test_a_hierarchy_is_more_treelike_than_its_covariance_and_norms_explain_by_both_statistics() -> None:
    found = measured(hierarchy(240, 64, RNG(2)), draws=199)
    for subject in ("prompts", "random tokens", "prompt tokens"):
        holland = found.test(subject, "Holland", ROTATED)
        assert holland.more_treelike
        assert holland.z is not None
        assert holland.z < -5
    assert found.test("prompts", "NJ*", ROTATED).more_treelike


def test_clusters_are_told_from_covariance_but_not_from_clusters() -> None:
    found = measured(clusters(240, 64, RNG(3), count=8), draws=199)
    assert found.test("random tokens", "Holland", ROTATED).more_treelike
    kept = found.test("random tokens", "Holland", CLUSTERED)
    assert not kept.more_treelike
    assert abs(kept.z or 0) < 4


def test_moving_the_origin_changes_no_test() -> None:
    vectors = hierarchy(240, 32, RNG(4), noise=1.0)
    here, there = measured(vectors, draws=19), measured(vectors + 64.0, draws=19)
    for one, other in zip(here.tests, there.tests, strict=True):
        assert one.observed == pytest.approx(other.observed, abs=1e-4)
        if one.null != "random directions, norms kept":
            assert one.null_mean == pytest.approx(other.null_mean, abs=0.02)


@pytest.fixture(scope="module")
def gaussian() -> TreeLikeness:
    return measured(RNG(1).standard_normal((240, 48)), draws=2)


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
    assert last.relative_delta > first.relative_delta
    assert last.holland == pytest.approx(first.holland, abs=0.05)


@pytest.mark.parametrize(("kind", "label"), [("hierarchy", "weak"), ("gaussian", "not supported")])
def test_the_verdict_tells_a_hierarchy_from_a_cloud(kind: str, label: str) -> None:
    vectors = hierarchy(241, 64, RNG(5)) if kind == "hierarchy" else RNG(5).standard_normal((241, 64))
    inputs = scan_inputs(TEXTS, words=WORDS, vectors=vectors.astype(np.float32))
    result = HyperbolicityAnalyzer(tokens=96, tested=12, replicates=19, shown="off").run(inputs, RNG(0))
    # its words all have one frequency, so no hierarchy here can be more tree-like than others of equal frequency
    assert result.verdict.label == label
    assert ("no more tree-like" in result.verdict.reason) == (kind == "gaussian")


@pytest.mark.slow
def test_rejections_of_gaussians_keep_their_level() -> None:
    """5% of Gaussian vocabularies, whatever n/d, are called more tree-like than their covariance and norms explain."""
    for dimension in (2, 16, 96, 512):
        pvalues = []
        for seed in range(60):
            vectors = RNG([dimension, seed]).standard_normal((240, dimension))
            pvalues.append(measured(vectors, draws=39, seed=seed).test("random tokens", "Holland", ROTATED).pvalue)
        assert np.mean(np.array(pvalues) <= 0.05) <= 0.15  # 60 samples: within three standard errors of 5%
