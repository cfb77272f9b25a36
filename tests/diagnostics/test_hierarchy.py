import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import scan_inputs
from calibration.hierarchy import branching, by_frequency, run
from scipy.spatial.distance import cdist, pdist
from scipy.stats import pearsonr, spearmanr

import geoprobe
from geoprobe.data import ModelSource
from geoprobe.diagnostics.base import make_analyzer
from geoprobe.diagnostics.hierarchy.analyzer import HierarchyAnalyzer
from geoprobe.diagnostics.hierarchy.categories import categories, category_findings
from geoprobe.diagnostics.hierarchy.finding import Finding, beside
from geoprobe.diagnostics.hierarchy.matching import BLOCK, blocks_of, explained, shuffled
from geoprobe.diagnostics.hierarchy.radial import radial
from geoprobe.diagnostics.hierarchy.relatives import relatives, right_angles
from geoprobe.diagnostics.hierarchy.result import HierarchyResult
from geoprobe.diagnostics.hierarchy.steps import tree_distances
from geoprobe.diagnostics.hierarchy.taxonomy import Taxonomy
from geoprobe.diagnostics.hierarchy.verdict import judge
from geoprobe.diagnostics.hierarchy.words import Words
from geoprobe.errors import UsageError
from geoprobe.report.scan import CorpusFacts, ModelFacts

FEW = {"draws": 39, "clouds": 39, "words": 40, "samples": 2, "pairs": 50}


def tree(n: int, rng: np.random.Generator, *, inner: int | None = None) -> tuple[Taxonomy, Words]:
    """A random tree each of whose nodes is a word: its parent is a node above it, one of the first `inner`."""
    above = [-1, *(int(rng.integers(min(node, inner or n))) for node in range(1, n))]
    parents = tuple(() if node < 0 else (node,) for node in above)
    taxonomy = Taxonomy("made up", tuple((f"w{node}",) for node in range(n)), parents, {}, "")
    rows, of = np.arange(n), np.array(above)
    pairs = np.stack([rows[1:], of[1:]], axis=1)
    return taxonomy, Words(tuple(f"w{node}" for node in range(n)), rows, rows, taxonomy.depths, of, pairs)


def saved_tree(folder: Path, n: int, rng: np.random.Generator) -> tuple[str, np.ndarray]:
    parents = np.array([-1, *(int(rng.integers(min(node, n // 3))) for node in range(1, n))])
    path = folder / "tree.csv"
    path.write_text("\n".join(["child,parent", *(f"word{c},word{p}" for c, p in enumerate(parents) if p >= 0)]))
    return str(path), parents


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> HierarchyResult:
    rng = np.random.default_rng(0)
    path, parents = saved_tree(tmp_path_factory.mktemp("tree"), 400, rng)
    vectors = branching(0.0, parents, rng)
    inputs = scan_inputs(
        ["word0 word1"],
        words=[f"word{row}" for row in range(400)],
        vectors=np.concatenate([np.ones((1, 48)), vectors]).astype(np.float32),
    )
    inputs = replace(inputs, embedding=replace(inputs.embedding, tied=True))
    return HierarchyAnalyzer(taxonomy=path, **FEW).run(inputs, np.random.default_rng(1))


def test_a_planted_tree_is_found(planted: HierarchyResult) -> None:
    assert planted.verdict.label == "supported"
    found = {finding.key: finding for finding in planted.findings}
    assert (found["steps_distance"].value or 0) > 0.3
    assert (found["among_nearest"].excess or 0) > 0.2
    shuffled_words, swapped, random = found["pairs_origin"].nulls
    assert random.mean == pytest.approx(0.5, abs=0.03)
    assert abs((shuffled_words.mean or 1) - (found["pairs_origin"].value or 0)) > 0.1
    assert len(swapped.distribution) == 39
    assert planted.n_words == 399  # the root is a row of zeros
    assert 300 < planted.n_pairs < 399


def test_norms_that_follow_frequency_alone_are_no_hierarchy() -> None:
    outcome = run(lambda parents, rng: by_frequency(0.3, parents, rng), 0)
    assert outcome.label == "not supported"
    assert abs(outcome.score or 1) < 0.03


def test_a_shuffled_taxonomy_of_a_planted_tree_is_no_hierarchy() -> None:
    assert run(lambda parents, rng: branching(0.0, parents, rng), 0, shuffled=True).label == "not supported"


def test_a_result_reads_back_and_draws(planted: HierarchyResult) -> None:
    assert HierarchyResult.from_dict(json.loads(json.dumps(planted.to_dict(), allow_nan=False))) == planted
    assert [figure.name for figure in planted.figures()] == ["shares", "depths", "null"]
    for figure in planted.figures():
        figure.draw()
    assert {table.name for table in planted.tables()} == {"statistics", "depths", "parents"}
    keys = [row.key for row in planted.rows()]
    assert len(set(keys)) == len(keys)
    assert keys[0] == planted.findings[0].key == "nearer_origin"
    assert planted.others()[0][1].pvalue is not None


def test_a_report_and_a_comparison_show_it_in_every_format_with_its_words(
    planted: HierarchyResult, tmp_path: Path
) -> None:
    source = ModelSource("tiny", "Tiny", "llama", "tiny.safetensors", "embed", "F32", "0" * 64)
    report = geoprobe.Report(
        model=ModelFacts(source, 401, 48, 1, 0, True, 1.0),
        corpora=(CorpusFacts("made up", "0" * 64, 1, 2, 2),),
        seed=0,
        options={"hierarchy": {}},
        versions={"geoprobe": "0.0"},
        results={"hierarchy": planted},
    )
    other = replace(report, model=replace(report.model, source=replace(source, name="Other")))
    for shown, formats in ((report, ("html", "md")), (geoprobe.compare(report, other), ("md",))):
        assert dict(shown.view().glossary).keys() >= {"taxonomy", "merge rank"}
        for path in shown.write(tmp_path, formats).values():
            assert path.stat().st_size > 2000
        markdown = (tmp_path / "report.md").read_text("utf-8")
        assert planted.question in markdown
        assert "supported" in markdown
    again = geoprobe.Report.from_dict(json.loads(report.to_json()))
    assert again["hierarchy"] == planted
    assert "it is true here that general words lie nearer the origin" in report.conclusion.sentences[0]


def test_the_same_seed_gives_the_same_result(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path, _ = saved_tree(tmp_path, 300, rng)
    vectors = rng.standard_normal((301, 8)).astype(np.float32)
    inputs = scan_inputs(["word0"], words=[f"word{row}" for row in range(300)], vectors=vectors)
    first, again = (HierarchyAnalyzer(taxonomy=path, **FEW).run(inputs, np.random.default_rng(2)) for _ in range(2))
    assert first == again


def test_too_few_pairs_are_inconclusive(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("child,parent\napple,fruit\npear,fruit\n")
    result = HierarchyAnalyzer(taxonomy=str(path)).run(scan_inputs(["apple fruit tree"]), np.random.default_rng(0))
    assert result.verdict.label == "inconclusive"
    assert result.verdict.reason.startswith("Only 1 pairs of a.csv")
    assert result.figures() == ()
    assert result.rows()[0].value is None
    assert not result.to_frame().empty


@pytest.mark.parametrize("option", ["draws", "clouds"])
def test_draws_that_cannot_reject_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} is 38, which cannot reject"):
        make_analyzer(f"hierarchy:{option}=38").run(scan_inputs(["a"]), np.random.default_rng(0))


def test_blocks_are_of_one_class_of_occurrences_and_near_in_rank() -> None:
    rng = np.random.default_rng(3)
    counts, rows = rng.zipf(1.5, 500) - 1, rng.permutation(5000)[:500]
    blocks = blocks_of(counts, rows)
    octaves = np.where(counts > 0, np.floor(np.log2(np.maximum(counts, 1))) + 1, 0)
    for block in np.unique(blocks):
        inside = blocks == block
        assert len(np.unique(octaves[inside])) == 1
        of_class = octaves == octaves[inside][0]
        assert inside.sum() == of_class.sum() or BLOCK <= inside.sum() <= 2 * BLOCK
        between = of_class & (rows >= rows[inside].min()) & (rows <= rows[inside].max())
        np.testing.assert_array_equal(between, inside)


def test_shuffling_permutes_within_blocks_evenly() -> None:
    blocks = np.array([0, 1, 0, 1, 1, 2])
    draws = np.stack([shuffled(blocks, rng) for rng in np.random.default_rng(4).spawn(3000)])
    np.testing.assert_array_equal(blocks[draws], np.broadcast_to(blocks, draws.shape))
    np.testing.assert_array_equal(np.sort(draws, axis=1), np.broadcast_to(np.arange(6), draws.shape))
    assert (draws[:, 0] == 2).mean() == pytest.approx(1 / 2, abs=0.04)
    assert (draws[:, 3] == 4).mean() == pytest.approx(1 / 3, abs=0.04)


def test_what_frequency_explains_is_a_smooth_function_of_it() -> None:
    rng = np.random.default_rng(5)
    rows, counts = np.arange(2000), rng.zipf(1.6, 2000) - 1
    truth = np.log(rows + 50) + np.sqrt(np.log1p(counts))
    noise = 0.1 * rng.standard_normal(2000)
    fitted = explained(truth + noise, counts, rows)
    assert np.sqrt(((fitted - truth) ** 2).mean()) < 0.03


def test_shares_are_those_counted_by_hand() -> None:
    # 0 has the children 1, 2, 3, and 1 has 4
    parents = np.array([-1, 0, 0, 0, 1])
    lengths = np.array([2.0, 3.0, 1.0, 4.0, 3.0])
    rows = np.arange(5)
    words = Words(
        tuple("abcde"),
        rows,
        rows,
        np.array([0, 1, 1, 1, 2]),
        parents,
        np.array([[1, 0], [2, 0], [3, 0], [4, 1], [4, 0]]),
    )
    found = radial(
        words,
        {"origin": lengths, "mean": -lengths},
        np.zeros(5, dtype=np.int64),
        np.zeros(5, dtype=np.int64),
        39,
        np.random.default_rng(0),
    ).findings
    values = {finding.key: finding.value for finding in found}
    assert values["pairs_origin"] == pytest.approx((2 + 0.5) / 4)  # 1 and 4 are as near: a half
    assert values["nearer_origin"] == pytest.approx((2 / 3 + 0.5) / 2)
    assert values["pairs_mean"] == pytest.approx(1 - (2 + 0.5) / 4)
    assert values["senses_origin"] == pytest.approx((3 / 4 + 0.5) / 2)
    assert values["depth_origin"] == pytest.approx(spearmanr(words.depths, lengths).statistic)


def test_mantels_r_is_pearsons_over_all_pairs_by_scipy() -> None:
    rng = np.random.default_rng(6)
    taxonomy, words = tree(60, rng)
    vectors = rng.standard_normal((60, 5))
    found = tree_distances(
        taxonomy, words, vectors, np.zeros(60, dtype=np.int64), size=60, samples=1, draws=40, clouds=2, rng=rng
    )
    steps = taxonomy.distances(range(60))[np.triu_indices(60, 1)]
    for finding, metric in zip(found, ("euclidean", "cosine"), strict=True):
        assert finding.value == pytest.approx(pearsonr(steps, pdist(vectors, metric)).statistic)
        assert abs(finding.nulls[0].mean or 1) < 0.05


def test_ranks_of_parents_are_those_of_sorted_distances() -> None:
    rng = np.random.default_rng(7)
    _, words = tree(50, rng)
    vectors = rng.standard_normal((50, 6))
    pairs = words.pairs
    found = {each.key: each for each in relatives(vectors, pairs, np.arange(50) // 25, 39, rng)}
    for metric, key in (("euclidean", "nearer_words_distance"), ("cosine", "nearer_words_angle")):
        distances = cdist(vectors, vectors, metric)
        nearer = [
            sum(distances[c, other] < distances[c, p] for other in range(50) if other not in (c, p)) for c, p in pairs
        ]
        assert found[key].value == pytest.approx(np.mean(nearer) / 48)
    assert found["among_nearest"].value == pytest.approx(np.mean(np.array(nearer) < 10))


def test_unrelated_vectors_are_at_the_angle_of_random_ones_and_nested_at_a_right_one() -> None:
    rng = np.random.default_rng(8)
    n, d = 300, 400
    _, words = tree(n, rng)
    random = rng.standard_normal((n, d)) / np.sqrt(d)
    nested = random.copy()
    for child, parent in words.pairs:
        nested[child] += nested[parent]
    blocks = np.zeros(n, dtype=np.int64)
    options = {"key": "words", "space": "here"}
    apart = right_angles(random, words.pairs, blocks, 39, rng, **options)
    assert apart.value == pytest.approx(-np.sqrt(0.5), abs=0.02)
    assert apart.excess == pytest.approx(0, abs=0.01)
    assert right_angles(nested, words.pairs, blocks, 39, rng, **options).value == pytest.approx(0, abs=0.02)


def test_random_categories_are_at_right_angles_too_and_have_no_vector() -> None:
    rng = np.random.default_rng(9)
    n, d = 1200, 300
    taxonomy, words = tree(n, rng, inner=40)
    random = rng.standard_normal((n, d))
    planted = random.copy()
    for child, parent in words.pairs:  # in the order of the tree
        planted[child] += planted[parent]
    under = categories(taxonomy, words, rng)
    blocks = np.zeros(n, dtype=np.int64)
    options = {"key": "c", "space": "here"}
    by_chance = {f.key: f for f in category_findings(under, random, blocks, 39, rng, **options)}
    found = {f.key: f for f in category_findings(under, planted, blocks, 39, rng, **options)}
    assert by_chance["c_right_angle"].value == pytest.approx(0, abs=0.05)
    assert by_chance["c_parts"].excess == pytest.approx(0, abs=0.05)
    assert found["c_right_angle"].value == pytest.approx(0, abs=0.15)
    assert found["c_parts"].value > 0.5
    assert found["c_parts"].nulls[0].mean == pytest.approx(0, abs=0.1)


def test_categories_are_means_over_words_and_their_parts_share_no_branch() -> None:
    rng = np.random.default_rng(10)
    taxonomy, words = tree(500, rng, inner=12)
    found = categories(taxonomy, words, rng)
    inner, outer, first, second = (each.toarray() for each in (found.inner, found.outer, found.first, found.second))
    for weights in (inner, outer, first, second):
        np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert len(inner) > 3
    assert len(first) > 1
    assert ((inner > 0) <= (outer > 0)).all()
    under = [[word for word in range(500) if at in (word, *taxonomy.ancestors(word))] for at in range(12)]
    for row, parent in enumerate(found.parents.tolist()):
        assert np.flatnonzero(outer[row]).tolist() == under[parent]
    for row, concept in enumerate(found.split.tolist()):
        parts = np.flatnonzero(first[row]), np.flatnonzero(second[row])
        assert sorted(np.concatenate(parts).tolist()) == under[concept]
        assert min(map(len, parts)) >= 20
        for child in range(12):
            if words.parents[child] == concept:
                assert not (first[row, under[child]].any() and second[row, under[child]].any())
    for one, other in found.sisters:
        assert found.parents[one] == found.parents[other]


def finding(key: str, value: float, null: float, *, half: float = 0.02, spread: float = 0.001) -> Finding:
    draws = null + spread * np.linspace(-1, 1, 99)
    return beside(key, key, value, (value - half, value + half), 500, "pairs", (("null", draws),))


@pytest.mark.parametrize(
    ("share", "null", "mean", "depth", "label", "word"),
    [
        (0.70, 0.60, 0.1, 0.2, "supported", "beyond their frequency"),
        (0.70, 0.60, 0.0, 0.2, "weak", "from the mean vector"),
        (0.70, 0.60, 0.1, -0.2, "weak", "deeper words are no further"),
        (0.51, 0.45, 0.1, 0.2, "weak", "more than half"),
        (0.609, 0.60, 0.1, 0.2, "not supported", "no more often"),
        (0.60, 0.70, 0.1, 0.2, "not supported", "less often"),
        (0.40, 0.50, 0.1, 0.2, "contradicted", "larger norms"),
    ],
)
def test_the_rule(share: float, null: float, mean: float, depth: float, label: str, word: str) -> None:
    findings = (
        finding("nearer_origin", share, null),
        finding("nearer_mean", 0.5 + mean, 0.5),
        finding("depth_origin_held", depth, 0.0),
        finding("depth_mean_held", depth, 0.0),
    )
    verdict = judge({each.key: each for each in findings}, 0.2)
    assert verdict.label == label
    assert word in verdict.reason


def test_norms_that_hardly_vary_are_no_signal() -> None:
    findings = {key: finding(key, 0.7, 0.5) for key in ("nearer_origin", "nearer_mean")}
    verdict = judge(findings, 0.009)
    assert verdict.label == "not supported"
    assert verdict.reason.startswith("No signal: norms hardly vary (0.90%")


def test_one_parent_of_all_is_inconclusive(tmp_path: Path) -> None:
    path = tmp_path / "star.csv"
    path.write_text("child,parent\n" + "\n".join(f"word{n},word0" for n in range(1, 300)))
    vectors = np.random.default_rng(0).standard_normal((301, 8)).astype(np.float32)
    inputs = scan_inputs(["word0"], words=[f"word{row}" for row in range(300)], vectors=vectors)
    result = HierarchyAnalyzer(taxonomy=str(path), **FEW).run(inputs, np.random.default_rng(0))
    assert result.verdict.label == "inconclusive"
    assert result.n_pairs == 299
    for figure in result.figures():
        figure.draw()


@pytest.mark.slow
@pytest.mark.parametrize("world", [0, 1, 2, 3, 4])
def test_worlds_without_a_hierarchy_are_seldom_called_one_by_simulation(world: int) -> None:
    from calibration.hierarchy import truths

    labels = [truths()[world].run(seed).label for seed in range(60)]
    assert labels.count("supported") == 0
    assert labels.count("weak") <= 6  # at a nominal 2.5%, more in 1 of 1,000
    assert labels.count("contradicted") <= 6


@pytest.mark.slow
@pytest.mark.parametrize("world", [5, 6, 7])
def test_planted_hierarchies_are_found_by_simulation(world: int) -> None:
    from calibration.hierarchy import truths

    assert [truths()[world].run(seed).label for seed in range(20)].count("supported") >= 18
