"""What is said of tests whose outcome is given."""

import pytest

from geoprobe.diagnostics.hyperbolicity.delta import DeltaTest
from geoprobe.diagnostics.hyperbolicity.treelikeness import CLUSTERED, MATCHED, ROTATED, NullTest, TreeLikeness
from geoprobe.diagnostics.hyperbolicity.verdict import judge
from geoprobe.results import Interval, NullDistribution

DELTA = DeltaTest(0.2, 0.01, Interval(0.19, 0.21, "bootstrap"), NullDistribution("m", "s", 0.2, (0.1,), "less", 0.5))
ASKED = (
    ("prompts", "Holland", ROTATED),
    ("prompts", "NJ*", ROTATED),
    ("prompts", "Holland", MATCHED),
    ("random tokens", "Holland", ROTATED),
    ("random tokens", "Holland", CLUSTERED),
)


def tree(pvalues: tuple[float, ...]) -> TreeLikeness:
    tests = tuple(NullTest(*asked, 0.3, 0.4, 0.01, -10.0, p, p) for asked, p in zip(ASKED, pvalues, strict=True))
    return TreeLikeness(tests, 4, 32, (0.4,), (), ())


@pytest.mark.parametrize(
    ("pvalues", "label", "said"),
    [
        ((0.005,) * 5, "supported", "more than covariance, norms and clusters explain"),
        ((0.9,) * 5, "not supported", "Prompts are no more tree-like than their covariance and norms explain"),
        ((0.005, 0.6, 0.005, 0.005, 0.005), "weak", "by that index alone, NJ* being 0.300 against 0.400, and than"),
        ((0.005, 0.005, 0.6, 0.005, 0.005), "weak", "but not than other tokens of equal frequency"),
        ((0.005, 0.005, 0.005, 0.6, 0.6), "weak", "Random tokens are explained by covariance and norms"),
        ((0.005, 0.005, 0.005, 0.005, 0.6), "weak", "but merely clustered"),
        ((0.6, 0.005, 0.005, 0.005, 0.005), "weak", "Prompts are no more tree-like"),
    ],
)
def test_what_is_missing_to_a_yes_is_named(pvalues: tuple[float, ...], label: str, said: str) -> None:
    found = judge(DELTA, tree(pvalues))
    assert found.label == label
    assert said.replace("more than covariance", "more tree-like than covariance") in found.reason
