"""All choices of an experiment, frozen: what is trained, on what, how long, and what is asked afterwards."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from geoprobe.errors import UsageError
from geoprobe.training.template import TEMPLATES

__all__ = ["BUDGETS", "METHODS", "Budget", "Precision", "Setup", "make_setup"]

#: Methods by name; the first of an experiment is what the others are compared with.
METHODS: tuple[str, ...] = ("lora", "dora", "hyplora")

Budget = Literal["demo", "small", "paper"]
Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: tuple[str, ...] = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Setup:
    """The choices of one experiment; those of the paper by default.

    Parameters
    ----------
    model : str
        As the user called it.
    train : str
        Training data: a name, a file or a hub set.
    tasks : tuple of str
        Test sets by name.
    methods : tuple of str
        The first is the reference.
    seeds : tuple of int
        One final run of every method each.
    rates : tuple of float
        Learning rates of the sweep; with one there is none.
    budget : str
        The preset that these choices began with.
    rank, alpha : int, float
        Of the adapters; their output is scaled by alpha / rank.
    dropout : float
        Of the adapters' input.
    targets : tuple of str
        Modules that get adapters; ``("all-linear",)`` for every linear layer.
    epochs : float
        Passes over the training data, where `steps` is None.
    steps, sweep_steps : int or None
        Optimizer steps of a final run and of one of the sweep; None: as the epochs give, and as a final run.
    batch : int
        Examples a step.
    micro_batch : int or None
        Of these at a time on a device; None: all.
    cutoff : int
        Tokens of prompt and response together; longer examples are cut.
    warmup : int
        Steps of linear warm-up, at most a tenth of a run; the rate falls linearly to 0 behind them.
    weight_decay, clip : float
        AdamW's, and the gradient norm that is clipped to.
    validation : int
        Training examples held out, to choose the rate and measure the loss.
    validate_every, save_every : int
        Steps between validations and between checkpoints; 0: at the end only, and never.
    examples : int or None
        Training examples used, of a seeded sample; None: all.
    longest : int or None
        Training examples of more tokens are left out instead of cut; None: none.
    questions : int or None
        Test questions a task, of a seeded sample; None: all.
    max_new_tokens : int or None
        Tokens of an answer; None: as the task says.
    evaluation_batch : int
        Prompts at a time.
    delta_prompts : int
        Prompts of a task whose final hidden states give δ; 0: none.
    precision : str
        ``float32``, ``bfloat16`` or ``auto`` (bfloat16 on a GPU that has it).
    gradient_checkpointing, four_bit : bool
        Recompute activations; load the base model in 4 bits (needs bitsandbytes and a GPU).
    curvature : float or None
        HypLoRA's K at the start in units of the layer's width; None: its own default.
    match_scale : bool
        Set each method's alpha so that all start with the gradient norm of the reference.
    seed : int
        Of the validation split and the samples, the same for all runs.
    threads : int or None
        PyTorch's threads on a CPU; None: as it chooses.
    field : str or None
        Column of the training data that holds the question, where geoprobe cannot tell.
    template : str
        Of prompts.
    revision : str or None
        Branch, tag or commit of a hub model.
    """

    model: str
    train: str
    tasks: tuple[str, ...]
    methods: tuple[str, ...] = ("lora", "hyplora")
    seeds: tuple[int, ...] = (0, 1, 2)
    rates: tuple[float, ...] = (3e-4,)
    budget: Budget = "paper"
    rank: int = 32
    alpha: float = 64.0
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")
    epochs: float = 3.0
    steps: int | None = None
    sweep_steps: int | None = None
    batch: int = 16
    micro_batch: int | None = None
    cutoff: int = 256
    warmup: int = 100
    weight_decay: float = 0.0
    clip: float = 1.0
    validation: int = 120
    validate_every: int = 0
    save_every: int = 100
    examples: int | None = None
    longest: int | None = None
    questions: int | None = None
    max_new_tokens: int | None = None
    evaluation_batch: int = 16
    delta_prompts: int = 32
    precision: Precision = "auto"
    gradient_checkpointing: bool = False
    four_bit: bool = False
    curvature: float | None = None
    match_scale: bool = True
    seed: int = 0
    threads: int | None = None
    field: str | None = None
    template: str = "alpaca"
    revision: str | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense, by name and value."""
        _check(self)

    def to_dict(self) -> dict[str, Any]:
        """Builtin types only, as JSON gives them back."""
        return dict(msgspec.json.decode(msgspec.json.encode(self)))

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Names of the fields in which a saved set-up differs."""
        mine = self.to_dict()
        return sorted(name for name in {*mine, *other} if mine.get(name, ...) != other.get(name, ...))


#: What each preset changes. demo: ten minutes of two cores on a model of 135 million parameters; small: an hour.
BUDGETS: dict[str, dict[str, Any]] = {
    "paper": {"tasks": ("gsm8k", "svamp", "mawps", "aqua")},
    "small": {
        "tasks": ("addsub", "mawps"),
        "rates": (3e-4, 1e-3),
        "steps": 50,
        "sweep_steps": 12,
        "batch": 8,
        "warmup": 5,
        "dropout": 0.0,
        "validation": 40,
        "validate_every": 25,
        "save_every": 10,
        "longest": 96,
        "template": "plain",
        "questions": 80,
        "max_new_tokens": 96,
        "evaluation_batch": 40,
        "delta_prompts": 20,
    },
    "demo": {
        "tasks": ("addsub", "mawps"),
        "seeds": (0,),
        "rates": (1e-3,),
        "steps": 20,
        "batch": 8,
        "warmup": 2,
        "dropout": 0.0,
        "validation": 24,
        "validate_every": 10,
        "save_every": 10,
        "longest": 96,
        "template": "plain",
        "questions": 40,
        "max_new_tokens": 64,
        "evaluation_batch": 40,
        "delta_prompts": 16,
    },
}


def make_setup(budget: str = "paper", **choices: Any) -> Setup:
    """A set-up from a preset and what the user chose besides.

    Parameters
    ----------
    budget : {"demo", "small", "paper"}
        The preset.
    **choices
        Fields of `Setup`; None leaves a field to the preset.

    Raises
    ------
    UsageError
        When there is no such preset, or a choice makes no sense.
    """
    if budget not in BUDGETS:
        raise UsageError(f"There is no budget {budget!r}.", f"Give one of {', '.join(BUDGETS)}.")
    chosen = {
        name: tuple(value) if isinstance(value, list) else value for name, value in choices.items() if value is not None
    }
    return Setup(**{**BUDGETS[budget], "budget": budget, **chosen})


def _check(setup: Setup) -> None:
    unknown = [name for name in setup.methods if name not in METHODS]
    if unknown:
        raise UsageError(f"There is no method {unknown[0]!r}.", f"Give some of {', '.join(METHODS)}.")
    for name in ("methods", "seeds", "rates", "tasks", "targets"):
        values = getattr(setup, name)
        if not values:
            option = "eval" if name == "tasks" else name
            raise UsageError(f"No {name} were given.", f"Give at least one, by --{option}.")
        if len(set(values)) < len(values):
            raise UsageError(f"A value is given twice in {name}: {', '.join(map(str, values))}.", "Give each once.")
    for name in ("rank", "alpha", "batch", "cutoff", "clip", "evaluation_batch", "epochs", "validation"):
        if not _above(getattr(setup, name), 0):
            raise UsageError(f"{name} is {getattr(setup, name)}.", "Give a number above 0.")
    for name in (
        "steps",
        "sweep_steps",
        "micro_batch",
        "examples",
        "longest",
        "questions",
        "max_new_tokens",
        "threads",
        "curvature",
    ):
        value = getattr(setup, name)
        if value is not None and not _above(value, 0):
            raise UsageError(f"{name} is {value}.", "Give a number above 0, or leave it out.")
    # where HypLoRA clamps K
    if setup.curvature is not None and abs(math.log(setup.curvature)) > 60:
        raise UsageError(f"curvature is {setup.curvature}.", "Give a number between 1e-26 and 1e26, or leave it out.")
    wrong = [rate for rate in setup.rates if not _above(rate, 0)]
    if wrong:
        raise UsageError(f"A learning rate is {wrong[0]}.", "Give numbers above 0, such as 3e-4.")
    if not 0 <= setup.dropout < 1:
        raise UsageError(f"dropout is {setup.dropout}.", "Give a number from 0 to below 1.")
    if setup.micro_batch is not None and setup.batch % setup.micro_batch:
        raise UsageError(
            f"A batch of {setup.batch} cannot be cut into micro-batches of {setup.micro_batch}.",
            "Give a divisor of the batch.",
        )
    if setup.precision not in PRECISIONS:
        raise UsageError(f"The precision is {setup.precision!r}.", f"Give one of {', '.join(PRECISIONS)}.")
    if setup.template not in TEMPLATES:
        raise UsageError(f"There is no prompt template {setup.template!r}.", f"Give one of {', '.join(TEMPLATES)}.")
    if any(seed < 0 for seed in setup.seeds) or setup.seed < 0:
        raise UsageError(f"A seed is {min(*setup.seeds, setup.seed)}.", "Give whole numbers from 0.")


def _above(value: float, bound: float) -> bool:
    return math.isfinite(value) and value > bound
