"""The paper's protocol, choice by choice, beside an experiment's.

What the paper states, or where it is silent what its released scripts do (commit 4e91948 of its repository).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from geoprobe.training.setup import BUDGETS
from geoprobe.training.targets import PAPER_TARGETS

Choices = Mapping[str, Any]

#: Stands among choices for whether they are of 0.2, which matched alpha and started K otherwise.
_EARLIER = "of 0.2"


@dataclass(frozen=True)
class PaperChoice:
    """A choice of the paper, and what an experiment chose, in words, from its set-up.

    `field` is of `geoprobe.training.setup.Setup`, where it is chosen.
    """

    what: str
    field: str
    paper: str
    here: Callable[[Choices], str]
    same: Callable[[Choices], bool]


@dataclass(frozen=True)
class Beside:
    """A choice of an experiment beside the paper's."""

    what: str
    paper: str
    here: str
    same: bool


def _value(name: str) -> Callable[[Choices], str]:
    return lambda chosen: str(chosen[name])


def _is(name: str, wanted: Any) -> Callable[[Choices], bool]:
    return lambda chosen: bool(chosen[name] == wanted)


def _number(name: str) -> Callable[[Choices], str]:
    return lambda chosen: f"{chosen[name]:g}"


def _listed(name: str) -> Callable[[Choices], str]:
    return lambda chosen: ", ".join(str(one) for one in chosen.get(name) or ())


def _length(chosen: Choices) -> str:
    return f"{chosen['steps']:,} steps" if chosen.get("steps") else f"{chosen['epochs']:g} epochs"


def _alpha(chosen: Choices) -> str:
    by = "the gradient of all layers" if chosen[_EARLIER] else "the median layer's gradient"
    matched = f", the others' by {by} at the start" if chosen.get("match_scale", True) else ""
    return f"{chosen['alpha']:g} of {(chosen.get('methods') or ['all'])[0]}{matched}"


def _curvature(chosen: Choices) -> str:
    return (
        ("0.1 in units of the width" if chosen[_EARLIER] else "chosen by layer from the norms of its inputs")
        if chosen.get("curvature") is None
        else f"{chosen['curvature']:g} in units of the width"
    )


def _new_tokens(chosen: Choices) -> str:
    if chosen.get("max_new_tokens"):
        return f"{chosen['max_new_tokens']:,}"
    return f"{512 if chosen.get('answers') == 'llm-adapters' else 256} (arithmetic), 32 (commonsense)"


PAPER: tuple[PaperChoice, ...] = (
    PaperChoice("rank", "rank", "32", _number("rank"), _is("rank", 32)),
    PaperChoice(
        "layers with adapters",
        "targets",
        "q, k, v, up, down",
        _listed("targets"),
        lambda chosen: tuple(chosen.get("targets") or ()) == PAPER_TARGETS,
    ),
    PaperChoice("batch", "batch", "16", _number("batch"), _is("batch", 16)),
    PaperChoice(
        "passes", "epochs", "3 epochs", _length, lambda chosen: not chosen.get("steps") and chosen.get("epochs") == 3
    ),
    PaperChoice(
        "learning rate",
        "rates",
        "3e-4",
        lambda chosen: ", ".join(f"{rate:g}" for rate in chosen.get("rates") or ()),
        lambda chosen: tuple(chosen.get("rates") or ()) == (3e-4,),
    ),
    PaperChoice("cutoff", "cutoff", "256", _number("cutoff"), _is("cutoff", 256)),
    PaperChoice("held out", "validation", "120", _number("validation"), _is("validation", 120)),
    PaperChoice(
        "loss on",
        "loss",
        "prompt and response",
        lambda chosen: {"full": "prompt and response"}.get(chosen.get("loss", ""), "response"),
        _is("loss", "full"),
    ),
    PaperChoice(
        "checkpoint evaluated",
        "checkpoint",
        "best on 120 held out",
        lambda chosen: f"{chosen.get('checkpoint', 'last')}",
        lambda chosen: chosen.get("checkpoint") == "best" and chosen.get("validation") == 120,
    ),
    PaperChoice(
        "prompt",
        "template",
        "Alpaca, or the model's chat headers",
        _value("template"),
        lambda chosen: chosen.get("template") in ("alpaca", "chat", "auto"),
    ),
    PaperChoice(
        "decoding",
        "beams",
        "4 beams",
        lambda chosen: f"{chosen.get('beams', 1)} beams" if chosen.get("beams", 1) > 1 else "greedy",
        _is("beams", 4),
    ),
    PaperChoice(
        "new tokens",
        "max_new_tokens",
        "512 (arithmetic), 32 (commonsense)",
        _new_tokens,
        lambda chosen: chosen.get("answers") == "llm-adapters" and not chosen.get("max_new_tokens"),
    ),
    PaperChoice(
        "answer rule",
        "answers",
        "last number; option word or letter",
        lambda chosen: {"llm-adapters": "the paper's"}.get(chosen.get("answers", ""), "the stated answer first"),
        _is("answers", "llm-adapters"),
    ),
    PaperChoice(
        "test sets",
        "tasks",
        "fifteen: seven arithmetic, eight commonsense",
        _listed("tasks"),
        lambda chosen: set(chosen.get("tasks") or ()) == {*BUDGETS["paper"]["tasks"]} and not chosen.get("questions"),
    ),
    PaperChoice(
        "training data",
        "train",
        "Math10K and Commonsense170K",
        _value("train"),
        lambda chosen: any(name in str(chosen.get("train")).lower() for name in ("math_10k", "commonsense_170k")),
    ),
    PaperChoice(
        "K at the start",
        "curvature",
        "0.5 or 1.0",
        _curvature,
        lambda chosen: "hyplora" not in (chosen.get("methods") or ()) or chosen.get("curvature") in (0.5, 1.0),
    ),
    PaperChoice("alpha", "alpha", "HypLoRA 128, LoRA 64", _alpha, lambda _: False),
    PaperChoice("batches", "batch", "random", lambda _: "sorted by length within sixteen", lambda _: False),
    PaperChoice("optimizer", "rank", "AdamW", lambda _: "AdamW", lambda _: True),
)


#: What was chosen before there was a choice.
_BEFORE = {
    "answers": "stated",
    "beams": 1,
    "checkpoint": "last",
    "curvature": None,
    "loss": "response",
    "max_new_tokens": None,
    "template": "alpaca",
}


def is_earlier(setup: Choices) -> bool:
    """Whether choices are those of an experiment of 0.2, which matched alpha over all layers and started K at 0.1."""
    return bool(setup) and "curvature_rate" not in setup


def beside_paper(setup: Choices) -> tuple[Beside, ...]:
    """Every choice of the paper beside an experiment's, from the set-up as a report keeps it.

    Choices that it did not keep are left out.
    """
    chosen = {**_BEFORE, **setup, _EARLIER: is_earlier(setup)}
    return tuple(
        Beside(one.what, one.paper, one.here(chosen), one.same(chosen)) for one in PAPER if one.field in chosen
    )


def deviations(setup: Choices) -> tuple[str, ...]:
    """What of an experiment is not the paper's, as ``alpha (paper: HypLoRA 128, LoRA 64)``."""
    return tuple(f"{one.what} {one.here} (paper: {one.paper})" for one in beside_paper(setup) if not one.same)
