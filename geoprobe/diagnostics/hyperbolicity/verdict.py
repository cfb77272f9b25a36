"""The verdict on hyperbolicity: three questions answered apart, and the label that follows."""

from __future__ import annotations

from geoprobe.diagnostics.hyperbolicity.delta import DeltaTest
from geoprobe.diagnostics.hyperbolicity.treelikeness import CLUSTERED, MATCHED, ROTATED, NullTest, TreeLikeness
from geoprobe.results import Verdict, VerdictLabel, number

__all__ = ["MIN_PROMPTS", "RULE", "judge"]

PVALUE = 0.05
MIN_PROMPTS = 10
RULE = (
    "Tokens are called more tree-like than a null where Holland's index is lower at 5%, Holm-corrected over all tests "
    "of the report. Supported where prompts are more tree-like than their covariance and norms explain, by NJ* too, "
    "and than other tokens of equal frequency, and random tokens more than covariance, norms and clusters explain; "
    "weak where only some of this holds; not supported where neither prompts nor random tokens are more tree-like than "
    "their covariance and norms explain. The paper's δ counts as evidence only where it lies "
    f"below its null, and decides nothing by itself. Inconclusive with fewer than {MIN_PROMPTS} prompts."
)


def judge(delta: DeltaTest, tree: TreeLikeness) -> Verdict:
    """Answer apart: is δ below its null; are prompts, is the vocabulary more tree-like than matched nulls."""
    rotated = tree.test("prompts", "Holland", ROTATED)
    joined = tree.test("prompts", "NJ*", ROTATED)
    matched = tree.test("prompts", "Holland", MATCHED)
    vocabulary = tree.test("random tokens", "Holland", ROTATED)
    clustered = tree.test("random tokens", "Holland", CLUSTERED)
    answers = [test.more_treelike for test in (rotated, joined, matched, vocabulary, clustered)]
    label: VerdictLabel = "not supported"
    if all(answers):
        label = "supported"
    elif rotated.more_treelike or vocabulary.more_treelike:
        label = "weak"
    return Verdict(
        label, f"{_of_prompts(rotated, joined, matched)} {_of_tokens(vocabulary, clustered)} {_of_delta(delta)}", RULE
    )


def _of_prompts(rotated: NullTest, joined: NullTest, matched: NullTest) -> str:
    figures = f"(Holland's index {number(rotated.observed)} against {number(rotated.null_mean)})"
    if not rotated.more_treelike:
        return f"Prompts are no more tree-like than their covariance and norms explain {figures}."
    joining = f"NJ* being {number(joined.observed)} against {number(joined.null_mean)}"
    alone = "" if joined.more_treelike else f" by that index alone, {joining}"
    beyond = (
        f"and than other tokens of equal frequency ({number(matched.null_mean)})."
        if matched.more_treelike
        else f"but not than other tokens of equal frequency ({number(matched.null_mean)})."
    )
    return f"Prompts are more tree-like than their covariance and norms explain {figures}{alone}, {beyond}"


def _of_tokens(vocabulary: NullTest, clustered: NullTest) -> str:
    figures = f"({number(vocabulary.observed)} against {number(vocabulary.null_mean)})"
    if not vocabulary.more_treelike:
        return f"Random tokens are explained by covariance and norms {figures}."
    if not clustered.more_treelike:
        return f"Random tokens are more tree-like than covariance and norms explain {figures}, but merely clustered."
    return f"Random tokens are more tree-like than covariance, norms and clusters explain {figures}."


def _of_delta(delta: DeltaTest) -> str:
    figures = f"{number(delta.mean)} where Gaussian vectors of the same shape give {number(delta.null.mean)}"
    below = delta.null.pvalue is not None and delta.null.pvalue <= PVALUE
    return f"The paper's δ is {figures}: {'below its null' if below else 'no evidence'}."
