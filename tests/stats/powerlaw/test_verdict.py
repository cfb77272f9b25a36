"""The verdict on samples of known laws, its levels, and every way its rule can go."""

import dataclasses

import numpy as np
import pytest

from geoprobe.stats.powerlaw import assess, compare, goodness_of_fit, judge


@pytest.mark.parametrize(
    ("draw", "labels"),
    [
        (lambda rng: rng.zipf(2.0, 5000), {"supported"}),
        (lambda rng: np.maximum(1, np.exp(rng.normal(1, 2, 20_000)).astype(int)), {"not supported", "contradicted"}),
        (lambda rng: rng.geometric(0.05, 3000), {"not supported", "contradicted", "inconclusive"}),
        (lambda rng: np.array([1] * 40 + [2] * 9 + [3] * 4 + [4, 5]), {"inconclusive"}),
    ],
)
def test_verdict_on_known_laws(draw, labels):
    assessed = assess(draw(np.random.default_rng(3)), replicates=200, rng=1)
    assert assessed.label in labels
    assert (assessed.inconclusive is None) == (assessed.label != "inconclusive")
    assert assessed.whole.xmin == assessed.whole_goodness.fit.xmin == 1
    assert assessed.tail.xmin == assessed.goodness.fit.xmin


def parts(pvalue, type_share, *, tail_beaten, whole_beaten, whole_pvalue=0.5, n_tail=500):
    """Real parts with the figures that the rule reads set by hand."""
    counts = np.random.default_rng(3).zipf(2.0, 2000)
    goodness = goodness_of_fit(counts, replicates=5, rng=1)
    fitted = dataclasses.replace(goodness.fit, type_share=type_share, n_tail=n_tail)
    good = compare(counts, xmin=1)
    row = dataclasses.replace(
        good["exponential"], loglikelihood_ratio=-9.0, pvalue=0.01, distinguishable=True, degenerate=False
    )
    bad = dataclasses.replace(good, rows=(row, *good.rows[1:]))
    return (
        dataclasses.replace(goodness, pvalue=pvalue, fit=fitted),
        dataclasses.replace(goodness, pvalue=whole_pvalue),
        bad if tail_beaten else good,
        bad if whole_beaten else good,
    )


@pytest.mark.parametrize(
    ("pvalue", "type_share", "tail_beaten", "whole_beaten", "whole_pvalue", "label"),
    [
        (0.5, 0.9, False, False, 0.5, "supported"),
        (0.05, 0.5, False, True, 0.0, "supported"),
        (0.5, 0.05, False, False, 0.05, "supported"),
        (0.5, 0.49, False, True, 0.5, "weak"),
        (0.5, 0.49, False, False, 0.049, "weak"),
        (0.5, 0.09, False, True, 0.5, "not supported"),
        (0.5, 0.09, False, False, 0.01, "not supported"),
        (0.5, 0.9, True, False, 0.5, "not supported"),
        (0.049, 0.9, False, False, 0.5, "not supported"),
        (0.0, 0.9, True, False, 0.5, "contradicted"),
        (0.0, 0.9, False, True, 0.5, "contradicted"),
    ],
)
def test_rule_in_every_direction(pvalue, type_share, tail_beaten, whole_beaten, whole_pvalue, label):
    found, _ = judge(
        *parts(pvalue, type_share, tail_beaten=tail_beaten, whole_beaten=whole_beaten, whole_pvalue=whole_pvalue)
    )
    assert found == label


def test_short_tail_is_inconclusive():
    found = judge(*parts(0.5, 0.9, tail_beaten=False, whole_beaten=False, n_tail=49))
    assert found == ("inconclusive", "49 types in the tail, fewer than 50")


def test_alternatives_share_the_level():
    goodness, from_one, _, bad = parts(0.5, 0.9, tail_beaten=False, whole_beaten=True)

    def label(**change):
        row = dataclasses.replace(bad.rows[0], **change)
        return judge(goodness, from_one, dataclasses.replace(bad, rows=(row, *bad.rows[1:])), bad)[0]

    assert label() == "not supported"
    assert label(pvalue=0.011) == "supported"
    assert label(degenerate=True) == "supported"
    assert label(distinguishable=False) == "supported"
    assert label(loglikelihood_ratio=9.0) == "supported"
