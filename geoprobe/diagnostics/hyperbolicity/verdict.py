"""The verdict on hyperbolicity: whether the vocabulary's distances are a tree's, and whether prompts add to it."""

from __future__ import annotations

from geoprobe.diagnostics.hyperbolicity.against_null import LEVEL, MARGIN, NullTest
from geoprobe.diagnostics.hyperbolicity.delta import DeltaTest
from geoprobe.diagnostics.hyperbolicity.nesting import Nesting
from geoprobe.diagnostics.hyperbolicity.treelikeness import MATCHED, ROTATED, TreeLikeness
from geoprobe.results import Verdict, VerdictLabel, number

MIN_PROMPTS = 10
RULE = (
    "The vocabulary decides. It is more tree-like than its covariance and norms explain where Holland's index of "
    "random tokens is lower than its null at 5%, Holm-corrected over all tests of the report, and by at least "
    f"{MARGIN}. A tree is the best account where, made from half of the coordinates, it foretells the other half "
    "better than flat clusters of any number, a flat space of any dimension, the closest pairs and the half itself do "
    "(95% interval of the gain above 0). Supported where both hold; weak where the first holds and the interval leaves "
    "the second open; not supported otherwise. Whether prompts are more tree-like than other tokens of equal frequency "
    "is answered beside it, as is the paper's δ, and decides nothing. "
    f"Inconclusive with fewer than {MIN_PROMPTS} prompts."
)


def judge(delta: DeltaTest, tree: TreeLikeness) -> Verdict:
    """Is the vocabulary a tree; do prompts add to what their tokens' frequencies explain; is δ below its null."""
    vocabulary, nesting = tree.test("random tokens", "Holland", ROTATED), tree.vocabulary_nesting
    label: VerdictLabel = "not supported"
    if vocabulary.more_treelike and (nesting is None or nesting.answer is not False):
        label = "supported" if nesting is not None and nesting.answer else "weak"
    prompts = tree.test("prompts", "Holland", MATCHED)
    return Verdict(label, f"{_of_tokens(vocabulary, nesting)} {_of_prompts(prompts)} {_of_delta(delta)}", RULE)


def _of_tokens(test: NullTest, nesting: Nesting | None) -> str:
    figures = f"(Holland's index {number(test.observed)} against {number(test.null_mean)})"
    if test.holm <= LEVEL and 0 < test.null_mean - test.observed < MARGIN:
        return (
            "The vocabulary is hardly more tree-like than its covariance and norms explain: Holland's index is "
            f"{number(test.observed)} against {number(test.null_mean)}, a difference below the {MARGIN} that counts."
        )
    if not test.more_treelike:
        return f"The vocabulary is no more tree-like than its covariance and norms explain {figures}."
    opening = f"The vocabulary is more tree-like than its covariance and norms explain {figures}"
    if nesting is None:
        return f"{opening}; whether a tree is the best account could not be tested."
    gain = f"gain {number(nesting.gain)}" + (
        f", {number(nesting.low)} to {number(nesting.high)}" if nesting.low is not None else ""
    )
    if nesting.answer:
        return f"{opening}, and a tree is the best account of it ({gain})."
    if nesting.answer is None:
        return f"{opening}, but whether a tree or {nesting.rival} is the best account of it is open ({gain})."
    return f"{opening}, but the best account of it is {nesting.rival}, not a tree ({gain})."


def _of_prompts(test: NullTest) -> str:
    figures = f"({number(test.observed)} against {number(test.null_mean)})"
    more = "more" if test.more_treelike else "no more"
    return f"Prompts are {more} tree-like than other tokens of equal frequency {figures}."


def _of_delta(delta: DeltaTest) -> str:
    figures = f"{number(delta.mean)} where random directions with the same norms give {number(delta.null.mean)}"
    below = delta.null.pvalue is not None and delta.null.pvalue <= LEVEL
    return f"The paper's δ is {figures}: {'below its null' if below else 'no evidence'}."
