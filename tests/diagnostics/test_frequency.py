from typing import Any

import mpmath
import numpy as np
import pytest
from builders import scan_inputs

from geoprobe.data import ScanInputs, TokenCounts
from geoprobe.diagnostics.frequency.analyzer import FrequencyAnalyzer
from geoprobe.diagnostics.frequency.figures import _scaled_zeta, log_binned
from geoprobe.diagnostics.frequency.fit import TailFit
from geoprobe.diagnostics.frequency.result import FrequencyResult
from geoprobe.figure import Line
from geoprobe.stats import powerlaw
from geoprobe.stats.powerlaw.zeta_kernels import scaled_zeta


def inputs_with(counts: np.ndarray) -> ScanInputs:
    """Inputs whose token counts are these; the texts do not matter."""
    base = scan_inputs(["a b"], words=[f"w{number}" for number in range(len(counts) - 1)], dimension=2)
    return ScanInputs(base.embedding, (TokenCounts("made-up", "0", counts.astype(np.int64), 1),), base.prompts)


def run(counts: np.ndarray, **options: int) -> FrequencyResult:
    return FrequencyAnalyzer(**{"replicates": 200, "bootstrap": 50, **options}).run(
        inputs_with(counts), np.random.default_rng(0)
    )


def zipf_counts(n: int, gamma: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).zipf(gamma, size=n)


def fit_of(result: FrequencyResult) -> TailFit:
    assert result.fit is not None
    return result.fit


def test_a_true_power_law_is_supported_with_its_exponent_inside_every_interval() -> None:
    result = run(zipf_counts(4000, 2.2, 3))
    assert result.verdict.label == "supported"
    assert "power law" in result.verdict.reason
    fit = fit_of(result)
    assert fit.xmin <= 5
    assert all(interval.low < 2.2 < interval.high for interval in fit.intervals)
    assert result.estimate.interval == fit.intervals[0]


def test_text_of_an_exact_zipf_mandelbrot_source_is_supported_though_its_counts_are_no_power_law() -> None:
    shares = 1 / (np.arange(1, 50_001) + 2.7)
    counts = np.random.default_rng(0).multinomial(155_000, shares / shares.sum())
    result = run(counts)
    assert result.verdict.label == "supported"
    assert "like a sample of a power law" in result.verdict.reason
    assert powerlaw.assess(counts[counts > 0], replicates=200, rng=0).label != "supported"
    assert result.source is not None
    assert result.source.ranges[-1].s == pytest.approx(1.0, abs=0.02)
    assert result.tables()[0].name == "source"


def test_halves_of_the_documents_are_judged_too() -> None:
    rng = np.random.default_rng(1)
    words = np.array([f"w{number}" for number in range(3000)])
    shares = 1 / (np.arange(1, 3001) + 1.0)
    texts = [" ".join(rng.choice(words, 100, p=shares / shares.sum())) for _ in range(100)]
    result = FrequencyAnalyzer(replicates=20, bootstrap=20).run(
        scan_inputs(texts, words=list(words)), np.random.default_rng(0)
    )
    assert result.source is not None
    agreeing, halves = result.source.agreeing
    assert halves == 8
    assert f"Of 8 random halves of the corpus, {agreeing} give the same answer." in result.verdict.reason
    assert any(row.quantity == "halves of the corpus with this answer" for row in result.rows())


def test_a_poisson_law_is_no_power_law() -> None:
    result = run(np.random.default_rng(0).poisson(30, size=4000))
    assert result.verdict.label in ("not supported", "contradicted")


def test_a_lognormal_law_is_named_as_better() -> None:
    result = run(np.ceil(np.random.default_rng(0).lognormal(2, 1.2, size=6000)))
    assert result.verdict.label in ("not supported", "contradicted", "weak")
    assert "log-normal" in result.verdict.reason
    favoured = {each.name for each in fit_of(result).whole if each.favours == "alternative"}
    assert "lognormal" in favoured


def test_the_estimate_is_that_of_the_fit_to_all_corpora_together() -> None:
    counts = zipf_counts(3000, 2.0, 1)
    result = run(counts)
    values, types = np.unique(counts, return_counts=True)
    fitted, fit = powerlaw.fit(values, types), fit_of(result)
    assert (fit.gamma, fit.xmin, fit.ks, fit.n_tail) == (fitted.alpha, fitted.xmin, fitted.ks, fitted.n_tail)
    assert result.n_tokens == counts.sum()
    assert result.n_types == counts.size
    assert result.null.pvalue is not None
    assert 1 / 201 <= result.null.pvalue <= 1


def test_replicates_that_cannot_be_fitted_count_as_closer_counted_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    assess = powerlaw.assess

    def some_unfitted(*given: Any, **options: Any) -> powerlaw.Assessment:
        found = assess(*given, **options)
        null = found.goodness.null_distribution
        null[:] = [*[np.nan] * 15, *[found.goodness.statistic] * 2, *[0.0] * 3]
        return found

    monkeypatch.setattr(powerlaw, "assess", some_unfitted)
    result = run(zipf_counts(1000, 2.0, 1), replicates=20)
    assert result.null.pvalue == 3 / 21
    assert len(result.null.distribution) == 5


def test_documents_give_an_interval_of_their_own_where_they_are_known(zipf_texts: list[str]) -> None:
    known = FrequencyAnalyzer(replicates=20, bootstrap=50).run(scan_inputs(zipf_texts), np.random.default_rng(0))
    assert [each.method.split()[-1] for each in fit_of(known).intervals] == ["documents", "types", "known"]
    unknown = run(zipf_counts(1000, 2.0, 1))
    assert [each.method.split()[-1] for each in fit_of(unknown).intervals] == ["types", "known"]
    for fit in (fit_of(known), fit_of(unknown)):
        assert fit.intervals[0].low < fit.gamma < fit.intervals[0].high


def test_drawn_curves_start_at_the_share_of_the_tail() -> None:
    fit = fit_of(run(zipf_counts(3000, 2.0, 1)))
    assert fit.survival[0].name == "power law"
    for curve in fit.survival:
        assert curve.x[0] == fit.xmin
        assert curve.y[0] == pytest.approx(fit.type_share)
    assert fit.gamma_by_xmin.y[fit.gamma_by_xmin.x.index(fit.xmin)] == fit.gamma
    assert fit.gamma_by_size.y[-1] == pytest.approx(fit.gamma)


def test_each_corpus_is_fitted_by_itself() -> None:
    one, two = zipf_counts(2000, 2.0, 1), zipf_counts(2000, 3.0, 2)
    base = inputs_with(one)
    inputs = ScanInputs(base.embedding, (*base.corpora, TokenCounts("second", "0", two, 3)), base.prompts)
    result = FrequencyAnalyzer(replicates=20).run(inputs, np.random.default_rng(0))
    assert [corpus.corpus for corpus in result.corpora] == ["made-up", "second"]
    gammas = [corpus.gamma for corpus in result.corpora]
    assert gammas[0] == pytest.approx(2.0, abs=0.1)
    assert gammas[1] == pytest.approx(3.0, abs=0.2)
    assert result.n_tokens == one.sum() + two.sum()


def test_the_most_frequent_tokens_are_listed_in_order(zipf_texts: list[str]) -> None:
    result = FrequencyAnalyzer(replicates=20, frequent=3).run(scan_inputs(zipf_texts), np.random.default_rng(0))
    words = [word for text in zipf_texts for word in text.split()]
    expected = sorted({word: words.count(word) for word in set(words)}.items(), key=lambda pair: -pair[1])[:3]
    assert [count for _, count in result.frequent] == [count for _, count in expected]


def test_the_fitted_line_goes_through_the_binned_points_of_a_true_power_law() -> None:
    result = run(zipf_counts(200_000, 2.0, 5), replicates=20)
    figure = next(each for each in result.figures() if each.name == "frequencies")
    points, line = figure.layers[1], figure.layers[2]
    wanted = [(x, y) for x, y in zip(points.x, points.y, strict=True) if fit_of(result).xmin * 2 < x < 50]  # type: ignore[union-attr]
    expected = np.exp(np.interp(np.log([x for x, _ in wanted]), np.log(line.x), np.log(line.y)))  # type: ignore[union-attr]
    np.testing.assert_allclose([y for _, y in wanted], expected, rtol=0.1)


def test_the_fitted_line_of_a_steep_tail_is_drawn() -> None:
    result = run(np.repeat(np.arange(1, 500), 2))
    figure = next(each for each in result.figures() if each.name == "frequencies")
    (line,) = (layer for layer in figure.layers if isinstance(layer, Line))
    fit = fit_of(result)
    assert fit.gamma > 50  # counts end at once: powers of them alone would leave floats
    assert line.y[0] == pytest.approx(fit.n_tail / scaled_zeta(fit.gamma, float(fit.xmin)))
    assert 0 < line.y[-1] < line.y[0]


def test_binning_keeps_the_number_of_types() -> None:
    values, types = np.unique(zipf_counts(5000, 1.8, 2), return_counts=True)
    decades = np.log10(values[-1])
    x, y = log_binned(values.astype(float), types.astype(float))
    assert len(x) == len(y) <= 8 * decades + 2
    assert min(x) == 1.0
    assert y[0] == types[0]


def test_the_same_seed_gives_the_same_result() -> None:
    counts = zipf_counts(1000, 2.0, 1)
    assert run(counts) == run(counts)


@pytest.mark.parametrize(("s", "q"), [(1.01, 1), (1.97, 1), (1.97, 43), (6.0, 3), (40.0, 2), (200.0, 100_000)])
def test_the_drawn_law_is_normalised_by_mpmaths_zeta(s: float, q: int) -> None:
    expected = mpmath.zeta(s, q) * mpmath.mpf(q) ** s
    assert _scaled_zeta(s, float(q)) == pytest.approx(float(expected), rel=1e-11)
