"""The paper's four word groups, looked up in any vocabulary."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from geoprobe.data import ScanInputs
from geoprobe.diagnostics.paper import CITATION, WORD_GROUP_NORMS, WORD_GROUPS
from geoprobe.figure import Axis, Figure, Line, Points, floats
from geoprobe.results import Cell, Table, number
from geoprobe.stats.correlation import permutation_null, spearman
from geoprobe.stats.resampling import monte_carlo_pvalue

_MODEL_HERE = "this model"
_FEWEST_WORDS = 8
#: Stands for a leading space in a table.
_SPACE = "␣"


@dataclass(frozen=True)
class WordGroup:
    """One of the paper's word groups: the words that are single tokens here with their norms, and the others."""

    words: tuple[tuple[str, float, int], ...]
    several_tokens: tuple[str, ...]
    mean: float | None


@dataclass(frozen=True)
class GroupOrder:
    """Spearman's ρ of a word's group, from frequent to rare, and its norm; p among permutations, two-sided."""

    rho: float
    pvalue: float
    n: int


def group_order(groups: tuple[WordGroup, ...], *, replicates: int, rng: np.random.Generator) -> GroupOrder | None:
    """Whether norms rise from group to group, word by word; None with fewer than eight words or of one group alone."""
    words = [(position, norm) for position, group in enumerate(groups) for _, norm, _ in group.words]
    position, norm = (np.array(side, dtype=np.float64) for side in (zip(*words, strict=True) if words else ((), ())))
    if position.size < _FEWEST_WORDS or np.ptp(position) == 0 or np.ptp(norm) == 0:
        return None
    rho = spearman(position, norm).value
    null = permutation_null(position, norm, replicates, rng)
    return GroupOrder(rho, monte_carlo_pvalue(rho, null, "two-sided"), position.size)


def word_groups(inputs: ScanInputs, norms: Float64[np.ndarray, " v"]) -> tuple[WordGroup, ...]:
    """Look every word up, as it stands within a sentence: with a leading space where there is such a token."""
    return tuple(_group(words, inputs, norms) for words in WORD_GROUPS)


def _group(words: tuple[str, ...], inputs: ScanInputs, norms: Float64[np.ndarray, " v"]) -> WordGroup:
    known: list[tuple[str, float, int]] = []
    missing: list[str] = []
    for word in words:
        spellings = (row for row in map(inputs.embedding.find, (f" {word}", word)) if row is not None)
        row = next(spellings, None)
        if row is None or not math.isfinite(norms[row]):
            missing.append(word)
        else:
            known.append((inputs.embedding.tokens[row], float(norms[row]), int(inputs.counts[row])))
    mean = math.fsum(norm for _, norm, _ in known) / len(known) if known else None
    return WordGroup(tuple(known), tuple(missing), mean)


def group_tables(groups: tuple[WordGroup, ...]) -> tuple[Table, ...]:
    """The groups word by word, and their means beside the paper's models."""
    words = tuple(
        (
            position,
            group.mean,
            ", ".join(f"{word.replace(' ', _SPACE)} ({number(norm)})" for word, norm, _ in group.words),
            ", ".join(group.several_tokens),
        )
        for position, group in enumerate(groups, start=1)
    )
    models: tuple[tuple[Cell, ...], ...] = tuple((model, *norms) for model, norms in WORD_GROUP_NORMS.items())
    return (
        Table(
            "groups",
            "The paper's word groups, from frequent to rare",
            ("group", "mean norm", "words (norm)", "several tokens here"),
            words,
            f"A word is looked up with a leading space ({_SPACE}), then without; words of several tokens have no norm "
            "and are left out of the means.",
        ),
        Table(
            "paper",
            "Mean norms of the word groups in the paper's models",
            ("model", *(f"group {position}" for position, _ in enumerate(WORD_GROUPS, start=1))),
            ((_MODEL_HERE, *(group.mean for group in groups)), *models),
            f"As printed in {CITATION}; norms of different models are on different scales, so compare their order.",
        ),
    )


def group_figure(groups: tuple[WordGroup, ...]) -> Figure:
    """Norms of the groups' words, and each group's mean."""
    members = [(position, norm) for position, group in enumerate(groups, 1) for _, norm, _ in group.words]
    means = [(float(position), group.mean) for position, group in enumerate(groups, 1) if group.mean is not None]
    return Figure(
        "groups",
        "The paper's word groups",
        "Norms of the paper's words, group 1 (function words) to 4 (particular things), and each group's mean. "
        "In the paper's models the means rise from left to right.",
        Axis("word group", limits=(0.5, 4.5), ticks=(1, 2, 3, 4)),
        Axis("norm of the embedding"),
        (
            Points(
                floats(position for position, _ in members), floats(norm for _, norm in members), "words", "muted", 4.0
            ),
            Line(floats(position for position, _ in means), floats(mean for _, mean in means), "", "data"),
            Points(floats(position for position, _ in means), floats(mean for _, mean in means), "mean", "data", 7.0),
        ),
    )
