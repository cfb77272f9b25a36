"""Does a method help? Every method against the first one, paired by seed and question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from geoprobe.stats.multiplicity import holm
from geoprobe.stats.paired import Difference, McNemar, mcnemar, paired_accuracy, paired_losses
from geoprobe.training.records import RunFacts

Label = Literal["helps", "hurts", "no detectable difference", "no verdict"]
LossLabel = Label | Literal["depends on alpha"]
#: The name under which all sets together go.
ALL = "all"
LEVEL = 0.05

RULE = (
    "Of the difference in accuracy over all questions of all sets (micro-average): helps if the 95% interval of the "
    "two-level bootstrap (seeds, questions) lies above 0, hurts if below, else no detectable difference. With several "
    "methods the p-values are corrected by Holm, and likewise those of the single sets. No verdict where no seed was "
    "finished by both methods. One seed never gives helps or hurts: it cannot tell a method from the luck of its seed."
)
LOSS_RULE = (
    "Of the difference in loss, likewise: helps if its interval lies below 0, hurts if above. Where each method was "
    "trained again at another matching of alpha, the verdict is made there too, and where it is another: depends on "
    "alpha."
)


@dataclass(frozen=True)
class SeedTest:
    """McNemar's exact test of one seed's two runs."""

    seed: int
    test: McNemar


@dataclass(frozen=True)
class SetDifference:
    """Two methods on one test set, or on all together.

    The difference is in accuracy, a share of 1: method less reference. The label is after Holm's correction, as is the
    p-value `corrected`; accuracies are means over the seeds, and each seed has a test.
    """

    task: str
    difference: Difference
    label: Label
    corrected: float | None
    reference_accuracy: float
    method_accuracy: float
    tests: tuple[SeedTest, ...]


@dataclass(frozen=True)
class AlphaCheck:
    """The losses compared once more, with the method trained at another matching of alpha.

    Alphas are means over the seeds; the loss is that at the other matching, or the comparison's own where both give one
    alpha.
    """

    alpha: float
    other_alpha: float
    label: Label
    other_label: Label
    loss: Difference


@dataclass(frozen=True)
class MethodComparison:
    """One method against the reference.

    Seeds are those that both finished; `overall` is all sets together, None where nothing could be compared. `loss` is
    on held-out examples (nats a response token), method less reference: below 0 is better; its label, after Holm's
    correction over the methods, is ``depends on alpha`` where another matching has another. That check is None where it
    was not tried with every seed.
    """

    method: str
    reference: str
    seeds: tuple[int, ...]
    label: Label
    overall: SetDifference | None
    tasks: tuple[SetDifference, ...]
    loss: Difference | None
    loss_label: LossLabel
    alpha_check: AlphaCheck | None = None


def compare_runs(
    runs: Sequence[RunFacts],
    methods: Sequence[str],
    tasks: Sequence[str],
    *,
    seed: int = 0,
    held_out_tokens: Sequence[int] = (),
) -> tuple[MethodComparison, ...]:
    """Compare every method with the first one, over the final runs that are finished, in order.

    The seed is of the bootstrap; without the response tokens of every held-out example, losses are not compared.
    """
    finished = [run for run in runs if run.status == "finished"]
    final = {(run.method, run.seed): run for run in finished if run.purpose == "final"}
    # where both matchings give one alpha, the final run is what the other would give
    again = {place: run for place, run in final.items() if run.alpha is not None and run.alpha == run.other_alpha}
    again |= {(run.method, run.seed): run for run in finished if run.purpose == "alpha"}
    tokens = np.array(held_out_tokens, dtype=np.float64)
    compared = [
        _compare(final, again, method, methods[0], tasks, tokens, (seed, place))
        for place, method in enumerate(methods[1:])
    ]
    return _corrected(compared)


def _compare(
    final: dict[tuple[str, int], RunFacts],
    again: dict[tuple[str, int], RunFacts],
    method: str,
    reference: str,
    tasks: Sequence[str],
    tokens: np.ndarray,
    seed: tuple[int, ...],
) -> MethodComparison:
    seeds = tuple(sorted(s for name, s in final if name == reference and (method, s) in final))
    pairs = [(final[reference, s], final[method, s]) for s in seeds]
    shared = [
        task
        for task in tasks
        if pairs
        and len({len(run.rights.get(task, "")) for pair in pairs for run in pair}) == 1
        and pairs[0][0].rights.get(task)
    ]
    rights = {
        task: (_matrix([a.rights[task] for a, _ in pairs]), _matrix([b.rights[task] for _, b in pairs]))
        for task in shared
    }
    sets = tuple(
        _difference(task, *rights[task], seeds, np.random.default_rng((*seed, place)))
        for place, task in enumerate(shared)
    )
    overall = None
    if shared:
        before, after = (np.concatenate([rights[task][side] for task in shared], axis=1) for side in (0, 1))
        overall = _difference(ALL, before, after, seeds, np.random.default_rng((*seed, len(tasks))))
    of_losses = (*seed, len(tasks) + 1)
    loss = _loss(pairs, tokens, of_losses)
    check = None
    if loss is not None and all((method, s) in again for s in seeds):
        other = [(final[reference, s], again[method, s]) for s in seeds]
        check = _alpha_check(loss, _loss(other, tokens, of_losses), pairs, other)
    return MethodComparison(method, reference, seeds, "no verdict", overall, sets, loss, "no verdict", check)


def _loss(pairs: Sequence[tuple[RunFacts, RunFacts]], tokens: np.ndarray, seed: tuple[int, ...]) -> Difference | None:
    losses = [
        np.subtract(b.held_out_losses, a.held_out_losses)
        for a, b in pairs
        if len(a.held_out_losses) == len(b.held_out_losses) == len(tokens) > 0
    ]
    losses = [difference for difference in losses if np.isfinite(difference).all()]
    return paired_losses(np.stack(losses), tokens, np.random.default_rng(seed)) if losses else None


def _alpha_check(
    loss: Difference,
    other: Difference | None,
    pairs: Sequence[tuple[RunFacts, RunFacts]],
    others: Sequence[tuple[RunFacts, RunFacts]],
) -> AlphaCheck | None:
    """The check with no labels yet; None where fewer seeds have losses at the other matching."""
    if other is None or other.seeds != loss.seeds:
        return None
    alpha, other_alpha = (float(np.mean([run.alpha or 0.0 for _, run in of])) for of in (pairs, others))
    return AlphaCheck(alpha, other_alpha, "no verdict", "no verdict", other)


def _difference(
    task: str, reference: np.ndarray, method: np.ndarray, seeds: tuple[int, ...], rng: np.random.Generator
) -> SetDifference:
    return SetDifference(
        task=task,
        difference=paired_accuracy(reference, method, rng),
        label="no detectable difference",
        corrected=None,
        reference_accuracy=float(reference.mean()),
        method_accuracy=float(method.mean()),
        tests=tuple(SeedTest(s, mcnemar(a, b)) for s, a, b in zip(seeds, reference, method, strict=True)),
    )


def _matrix(rows: list[str]) -> np.ndarray:
    return np.array([[mark == "1" for mark in row] for row in rows], dtype=np.bool_)


def _corrected(compared: list[MethodComparison]) -> tuple[MethodComparison, ...]:
    """Labels, after Holm's correction: over the methods, over all single sets, and over the losses."""
    overall = _holm([method.overall.difference if method.overall else None for method in compared])
    losses = _holm([method.loss for method in compared])
    others = _holm([method.alpha_check.loss if method.alpha_check else method.loss for method in compared])
    sets = iter(_holm([one.difference for method in compared for one in method.tasks]))
    labelled = []
    for method, p, q, other in zip(compared, overall, losses, others, strict=True):
        whole = None if method.overall is None else _labelled(method.overall, p)
        label: Label = "no verdict" if method.loss is None else _label(method.loss, q, better=-1)
        check = method.alpha_check
        if check is not None:
            check = replace(check, label=label, other_label=_label(check.loss, other, better=-1))
        labelled.append(
            replace(
                method,
                overall=whole,
                label="no verdict" if whole is None else whole.label,
                tasks=tuple(_labelled(one, next(sets)) for one in method.tasks),
                loss_label="depends on alpha" if check is not None and check.label != check.other_label else label,
                alpha_check=check,
            )
        )
    return tuple(labelled)


def _holm(differences: Sequence[Difference | None]) -> list[float | None]:
    pvalues = [None if difference is None else difference.pvalue for difference in differences]
    corrected = iter(holm([p for p in pvalues if p is not None]))
    return [None if p is None else next(corrected) for p in pvalues]


def _labelled(one: SetDifference, corrected: float | None) -> SetDifference:
    return replace(one, corrected=corrected, label=_label(one.difference, corrected, better=1))


def _label(difference: Difference, corrected: float | None, *, better: int) -> Label:
    low, high = difference.low, difference.high
    if corrected is None or corrected > LEVEL or low is None or high is None or low <= 0 <= high:
        return "no detectable difference"
    return "helps" if better * difference.value > 0 else "hurts"
