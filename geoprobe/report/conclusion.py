"""What a scan's verdicts say together: the kind of geometry, the usual claims, hyperbolic adaptation, what to do next.

The rule reads labels alone, so that every combination can be listed. A diagnostic takes part by its result's `claim`;
those whose `tree_like` is true are the geometry, and what is said of adaptation follows from them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from geoprobe.results import Result, VerdictLabel

#: The saved scan as the next command names it: whoever knows where it lies puts that place instead.
SAVED = "scan.json"
#: The geometry by the labels of all that measured it.
_GEOMETRY = {
    "supported": "By every check made, the {subject} of this model are arranged more like a tree than chance explains.",
    "weak": "By some checks but not by all, the {subject} of this model are arranged more like a tree than chance "
    "explains.",
    "not supported": "The {subject} of this model are arranged no more like a tree than chance or plain clusters are.",
    "contradicted": "The {subject} of this model are arranged less like a tree than chance alone would make them.",
    "inconclusive": "There is too little text here to say how the {subject} of this model are arranged.",
}
_CLAIM = {
    "supported": "it is true here that {claims}",
    "weak": "it is true only in part that {claims}",
    "not supported": "there is no evidence that {claims}",
    "contradicted": "it is not true that {claims}",
    "inconclusive": "there is too little text to say whether {claims}",
}
_ADAPTATION = {
    "supported": "Such a geometry makes hyperbolic adaptation (HypLoRA) worth a try, and does not show that it helps: "
    "only an experiment does.",
    "weak": "The geometry neither recommends hyperbolic adaptation (HypLoRA) nor rules it out: an experiment settles "
    "it.",
    "not supported": "Nothing in this geometry recommends hyperbolic adaptation (HypLoRA), and nothing rules it out: "
    "an experiment settles it.",
    "contradicted": "Nothing in this geometry recommends hyperbolic adaptation (HypLoRA), though only an experiment "
    "can rule it out.",
    "inconclusive": "So nothing can be said yet of hyperbolic adaptation (HypLoRA): scan more text first.",
    "": "This scan did not ask how the tokens are arranged, so it says nothing of hyperbolic adaptation (HypLoRA).",
}
#: The same of several models: what is said of their tokens, and of a claim.
_ARRANGED = {
    "supported": "are arranged more like a tree than chance explains, by every check made",
    "weak": "are arranged more like a tree than chance explains by some checks, but not by all",
    "not supported": "are arranged no more like a tree than chance or plain clusters are",
    "contradicted": "are arranged less like a tree than chance alone would make them",
    "inconclusive": "are too few in these texts to say how they are arranged",
}
_TRUE_OF = {
    "supported": "is true of",
    "weak": "is true only in part of",
    "not supported": "has no evidence in",
    "contradicted": "is not true of",
    "inconclusive": "could not be answered for",
}
_NOT_ADAPTABLE = (
    "Hyperbolic adaptation (HypLoRA) is for language models that write text, which this is not known to be."
)


@dataclass(frozen=True)
class Conclusion:
    """Two or three sentences without a symbol, and the next command.

    The sentences are of the geometry, the usual claims and hyperbolic adaptation: those that the scan asked about. The
    command is ready to paste; empty where there is nothing to do next.
    """

    sentences: tuple[str, ...]
    command: str = ""
    purpose: str = ""


def conclude(
    results: Sequence[Result], *, model: str, corpora: Sequence[str], more: Iterable[str] = (), adaptable: bool = True
) -> Conclusion:
    """Put the verdicts together, in the order of the report.

    `model` is as the command line takes it, `corpora` were counted, and of `more` the first could be next. What cannot
    be trained (word vectors) is not `adaptable`.
    """
    geometry = [result for result in results if result.tree_like]
    label = _together([result.verdict.label for result in geometry])
    sentences = []
    if label:
        subject = " and ".join(dict.fromkeys(result.tree_like for result in geometry))
        sentences.append(_GEOMETRY[label].format(subject=subject))
    claims = [result for result in results if result.claim and not result.tree_like]
    if claims:
        sentences.append(f"Of the usual claims, {_of_claims(claims)}.")
    sentences.append(_ADAPTATION[label] if adaptable else _NOT_ADAPTABLE)
    words, purpose = _next([result.verdict.label for result in results], label, model, corpora, more, adaptable)
    return Conclusion(tuple(sentences), shlex.join(words), purpose)


def conclude_models(
    questions: Sequence[tuple[type[Result], Mapping[str, VerdictLabel]]],
) -> Conclusion | None:
    """Put the verdicts of several models together: how their tokens are arranged, and each usual claim.

    It has no command, and is None where no question is about the geometry or a usual claim.
    """
    geometry = [(kind.tree_like, labels) for kind, labels in questions if kind.tree_like]
    sentences = []
    if geometry:
        subject = " and ".join(dict.fromkeys(subject for subject, _ in geometry))
        together = {model: _together([labels[model] for _, labels in geometry]) for model in geometry[0][1]}
        sentences += [f"The {subject} of {models} {_ARRANGED[label]}." for label, models in _grouped(together)]
    for kind, labels in questions:
        if kind.claim and not kind.tree_like:
            parts = [f"{_TRUE_OF[label]} {models}" for label, models in _grouped(labels)]
            sentences.append(f"That {kind.claim} {', and '.join(parts)}.")
    return Conclusion(tuple(sentences)) if sentences else None


def _grouped(labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """Verdicts in their order, each with the models that have it in words."""
    found = []
    for label in _ARRANGED:
        models = [model for model, of in labels.items() if of == label]
        if models:
            listed = " and ".join(filter(None, (", ".join(models[:-1]), models[-1])))
            found.append((label, "all models" if len(models) == len(labels) > 1 else listed))
    return found


def _together(labels: Sequence[VerdictLabel]) -> VerdictLabel | str:
    """One label for several measures of one thing: what they agree on, weak where only some speak for it."""
    known = [label for label in labels if label != "inconclusive"]
    if not known:
        return "inconclusive" if labels else ""
    if len(set(known)) == 1:
        return known[0]
    return "weak" if {"supported", "weak"} & set(known) else "not supported"


def _of_claims(results: Sequence[Result]) -> str:
    parts = []
    for label, sentence in _CLAIM.items():
        claims = [result.claim for result in results if result.verdict.label == label]
        if claims:
            parts.append(
                sentence.format(claims=" and that ".join(filter(None, (", that ".join(claims[:-1]), claims[-1]))))
            )
    return "; ".join(parts)


def _next(
    labels: Sequence[VerdictLabel],
    geometry: VerdictLabel | str,
    model: str,
    corpora: Sequence[str],
    more: Iterable[str],
    adaptable: bool,
) -> tuple[list[str], str]:
    """The words of the next command, and what it does."""
    if "inconclusive" in labels:
        added = next((name for name in more if not any(corpus.lower().startswith(name) for corpus in corpora)), None)
        named = [*corpora, *([added] if added else [])]
        words = [word for name in named for word in ("--corpus", name)]
        return ["geoprobe", "scan", model, *words], "Scan more text, as some answers need it; add texts of your own."
    if not geometry:
        words = [word for name in corpora for word in ("--corpus", name)]
        return ["geoprobe", "scan", model, *words], "Ask the other questions too."
    if not adaptable:
        return [], ""
    return ["geoprobe", "finetune", "--from-scan", SAVED, "--dry-run"], "Plan the experiment, and train nothing yet."
