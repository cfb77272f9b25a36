import json

import numpy as np
import pytest
from builders import scan_inputs

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.curvature.analyzer import CurvatureAnalyzer
from geoprobe.diagnostics.curvature.cloud import within
from geoprobe.diagnostics.curvature.result import CurvatureResult
from geoprobe.diagnostics.curvature.texts import equally_frequent, text_samples
from geoprobe.diagnostics.curvature.verdict import judge
from geoprobe.errors import UsageError
from geoprobe.results import Interval
from geoprobe.stats.neighbours import nearest_neighbours
from geoprobe.stats.spaces import hierarchy

WORDS = [f"word{row}" for row in range(700)]
FEW = {"tokens": 300, "neighbours": 8, "edges": 100, "samples": 2}


def run(vectors: np.ndarray, seed: int = 0, **options: int) -> CurvatureResult:
    inputs = scan_inputs(["word0 word1"], words=WORDS[: len(vectors) - 1], vectors=vectors.astype(np.float32))
    return CurvatureAnalyzer(**{**FEW, **options}).run(inputs, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def gaussian() -> CurvatureResult:
    return run(np.random.default_rng(1).standard_normal((700, 64)))


def test_a_gaussian_cloud_is_negatively_curved_and_its_null_explains_it(gaussian: CurvatureResult) -> None:
    assert gaussian.estimate.value is not None
    assert gaussian.estimate.value < -0.1
    assert gaussian.verdict.label == "not supported"
    properties = {each.name: each for each in gaussian.properties}
    assert all(each.z is not None and abs(each.z) < 5 for each in properties.values())
    assert properties["participation ratio"].value == pytest.approx(60, rel=0.2)


def test_a_hierarchy_is_less_negatively_curved_than_its_null() -> None:
    result = run(hierarchy(700, 64, np.random.default_rng(2)))
    assert result.verdict.label == "contradicted"
    assert result.properties[0].value > result.properties[0].null_mean + 0.2


def test_a_result_reads_back_and_draws(gaussian: CurvatureResult) -> None:
    assert CurvatureResult.from_dict(json.loads(json.dumps(gaussian.to_dict()))) == gaussian
    assert [figure.name for figure in gaussian.figures()] == ["edges", "references", "null"]
    for figure in gaussian.figures():
        figure.draw()
    assert sum(gaussian.heights) == pytest.approx(1)
    assert {table.name for table in gaussian.tables()} == {"properties", "texts", "references"}
    assert gaussian.to_frame().loc["dimension", "value"] > 5


def test_the_same_seed_gives_the_same_result() -> None:
    vectors = np.random.default_rng(3).standard_normal((600, 16))
    assert run(vectors, seed=4) == run(vectors, seed=4)


def test_too_few_tokens_are_inconclusive() -> None:
    result = run(np.random.default_rng(5).standard_normal((300, 16)))
    assert result.verdict.label == "inconclusive"
    assert result.figures() == ()
    assert result.rows()[0].value is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 38}, "38 null clouds cannot reject at 0.05"),
        ({"samples": 1}, "samples is 1"),
        ({"edges": 0}, "edges"),
    ],
)
def test_options_that_cannot_answer_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(np.zeros((600, 4)), **options)


@pytest.mark.parametrize(
    ("curvature", "low", "high", "null", "pvalue", "label"),
    [
        (-0.3, -0.31, -0.29, -0.2, 0.05, "supported"),
        (-0.3, -0.31, -0.29, -0.2, 0.051, "not supported"),
        (-0.3, -0.31, -0.29, -0.4, 0.05, "contradicted"),
        (-0.01, -0.05, 0.03, 0.2, 0.05, "not supported"),
        (0.2, 0.1, 0.3, 0.4, 0.05, "contradicted"),
    ],
)
def test_the_rule(curvature: float, low: float, high: float, null: float, pvalue: float, label: str) -> None:
    verdict = judge(curvature, Interval(low, high, "test"), null, pvalue)
    assert verdict.label == label
    assert str(abs(null))[:3] in verdict.reason


def test_neighbours_from_distances_are_those_from_points() -> None:
    points = np.random.default_rng(6).standard_normal((40, 3))
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    np.testing.assert_array_equal(within(distances, 5).indices, nearest_neighbours(points, 5).indices)


def texts_of_subjects(subjects: int, vectors: np.ndarray, rng: np.random.Generator) -> ScanInputs:
    """Texts each of which has words of one subject alone, all words equally often."""
    words = np.array(WORDS[: len(vectors) - 1]).reshape(subjects, -1)
    texts = [" ".join(rng.permutation(of)) for of in words for _ in range(2)]
    return scan_inputs(texts, words=WORDS[: len(vectors) - 1], vectors=vectors.astype(np.float32))


def test_samples_of_text_are_disjoint_texts_and_the_null_has_equal_frequencies() -> None:
    rng = np.random.default_rng(7)
    texts = [" ".join(rng.choice(WORDS, 40, p=(p := 1 / np.arange(1, 701)) / p.sum())) for _ in range(60)]
    inputs = scan_inputs(texts, words=WORDS)
    rows = np.arange(2, inputs.embedding.size)  # the first word is not usable
    samples = text_samples(inputs, rows, 100, 3, rng)
    assert [len(each) for each in samples] == [100] * 3
    for sample, other in zip(samples, equally_frequent(inputs, rows, samples, rng), strict=True):
        assert len(np.unique(sample)) == len(np.unique(other)) == 100
        assert np.isin(np.concatenate([sample, other]), rows).all()
        octaves = [np.floor(np.log2(inputs.counts[each])) for each in (sample, other)]
        np.testing.assert_array_equal(*octaves)
        assert (sample != other).mean() > 0.5
    few = text_samples(inputs, rows, 10_000, 3, rng)
    assert len({len(each) for each in few}) == 1
    assert len(few[0]) < 700


def test_words_of_one_text_that_lie_together_are_curved_unlike_equally_frequent_ones() -> None:
    rng = np.random.default_rng(8)
    subject = np.repeat(np.arange(6), 100)
    clustered = 3 * rng.standard_normal((6, 16))[subject] + rng.standard_normal((600, 16))
    vectors = np.concatenate([np.zeros((1, 16)), clustered])
    analyzer = CurvatureAnalyzer(**{**FEW, "tokens": 256, "edges": 40}, text_tokens=100)
    result = analyzer.run(texts_of_subjects(6, vectors, rng), rng)
    texts = {each.key: each for each in result.texts}
    assert texts["ollivier"].pvalue <= 0.05
    assert (
        texts["participation"].value > texts["participation"].null_mean + 3
    )  # one cluster, not six in a line or plane
    assert result.others()[0][1] == result.text_null
    assert result.to_frame().loc["ollivier_texts", "value"] == texts["ollivier"].value
    assert CurvatureResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_an_older_result_opens_without_texts(gaussian: CurvatureResult) -> None:
    saved = gaussian.to_dict()
    del saved["texts"], saved["text_null"]
    assert CurvatureResult.from_dict(saved).others() == ()


@pytest.mark.slow
@pytest.mark.parametrize(("dimension", "spread"), [(16, 0.3), (256, 0.0), (256, 0.4)])
def test_clouds_without_structure_are_seldom_supported_by_simulation(dimension: int, spread: float) -> None:
    labels = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        axes = np.arange(1, dimension + 1) ** -0.5
        norms = np.exp(spread * rng.standard_normal((600, 1)))
        labels.append(run(rng.standard_normal((600, dimension)) * axes * norms, seed).verdict.label)
    assert labels.count("supported") <= 4  # at a nominal 2.5%, more in 1 of 300
    assert labels.count("contradicted") <= 4
