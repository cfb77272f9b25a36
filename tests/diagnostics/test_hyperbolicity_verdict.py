"""What is said of tests whose outcome is given."""

import pytest

from geoprobe.diagnostics.hyperbolicity.against_null import NullTest
from geoprobe.diagnostics.hyperbolicity.delta import DeltaTest
from geoprobe.diagnostics.hyperbolicity.nesting import Nesting
from geoprobe.diagnostics.hyperbolicity.treelikeness import MATCHED, ROTATED, TreeLikeness
from geoprobe.diagnostics.hyperbolicity.verdict import judge
from geoprobe.results import Interval, NullDistribution

DELTA = DeltaTest(0.2, 0.01, Interval(0.19, 0.21, "bootstrap"), NullDistribution("m", "s", 0.2, (0.1,), "less", 0.5))
NO_TREE, OPEN, TREE = (-0.4, -0.2), (-0.1, 0.2), (0.1, 0.4)


def tree(
    vocabulary: float, gain: tuple[float, float] | None, *, prompts: float = 0.6, null_mean: float = 0.4
) -> TreeLikeness:
    asked = {("random tokens", ROTATED): vocabulary, ("prompts", MATCHED): prompts}
    tests = tuple(
        NullTest(subject, "Holland", null, 0.3, null_mean, 0.01, -10.0, p, p) for (subject, null), p in asked.items()
    )
    nesting = (
        ()
        if gain is None
        else (Nesting("random tokens", 16, 128, 0.6, 0.5, 0.4, 0.3, 0.2, 12.0, 8.0, sum(gain) / 2, *gain),)
    )
    return TreeLikeness(tests, 4, 32, (0.4,), (), (), nesting=nesting, n_sets=6)


@pytest.mark.parametrize(
    ("made", "label", "said"),
    [
        (tree(0.005, TREE), "supported", "and a tree is the best account of it (gain 0.250, 0.100 to 0.400)."),
        (tree(0.005, OPEN), "weak", "whether a tree or about 12 flat clusters is the best account of it is open"),
        (tree(0.005, NO_TREE), "not supported", "the best account of it is about 12 flat clusters, not a tree"),
        (tree(0.005, None), "weak", "whether a tree is the best account could not be tested"),
        (tree(0.6, TREE), "not supported", "no more tree-like than its covariance and norms explain"),
        (tree(0.005, TREE, null_mean=0.309), "not supported", "hardly more tree-like than its covariance and norms"),
        (tree(0.005, TREE, prompts=0.005), "supported", "Prompts are more tree-like than other tokens of equal freq"),
        (tree(0.6, NO_TREE, prompts=0.005), "not supported", "Prompts are more tree-like than other tokens of equal"),
    ],
)
def test_the_vocabulary_decides_and_what_is_missing_to_a_yes_is_named(
    made: TreeLikeness, label: str, said: str
) -> None:
    verdict = judge(DELTA, made)
    assert verdict.label == label
    assert said in verdict.reason
