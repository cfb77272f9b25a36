"""All choices of an experiment, frozen: what is trained, on what, how long, and what is asked afterwards.

A choice is one field of `Setup`: its type with bounds, its default, and what the command line says of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec

from geoprobe.errors import UsageError, meant
from geoprobe.training.answers.reading import AnswerRules
from geoprobe.training.methods import METHODS
from geoprobe.training.targets import PAPER_TARGETS

Budget = Literal["demo", "small", "paper"]
Precision = Literal["auto", "float32", "bfloat16"]
#: Of prompts: the tokenizer's own for chats where it has one and else Alpaca's; the former; LLM-Adapters'; none.
Template = Literal["auto", "chat", "alpaca", "plain"]
#: Tokens whose loss counts: the response's, or the prompt's too.
LossOn = Literal["response", "full"]
#: Weights that are tested: the last, or those with the lowest validation loss.
Tested = Literal["last", "best"]

Positive = Annotated[int, msgspec.Meta(gt=0)]
PositiveNumber = Annotated[float, msgspec.Meta(gt=0)]
FromZero = Annotated[int, msgspec.Meta(ge=0)]


#: Where the command's help lists an option.
TRAINED, PROMPTS, ASKED, RUN = "What is trained", "Texts and prompts", "What is asked afterwards", "Run"


def _option(default: Any, says: str, paper: str = "", panel: str = TRAINED) -> Any:
    """A field that the command line has an option for: its help, how the paper's value is written there, and where."""
    return field(default=default, metadata={"help": says, "paper": paper, "panel": panel})


@dataclass(frozen=True)
class Setup:
    """The choices of one experiment; of the presets in `BUDGETS`, ``paper`` is the paper's protocol.

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
        Modules that get adapters, by what their names end in; ``("all-linear",)`` for every linear layer. The default
        is taken by role: in another architecture, its layers for query, key, value, up and down.
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
        Training examples held out to measure the loss; where several rates are tried, as many more to choose by.
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
        HypLoRA's K at the start in units of the layer's width; None: by layer, so that the maps are exact for 97.5% of
        the first batch's tokens.
    curvature_rate : float
        log K's learning rate over that of the matrices.
    match_scale : bool
        Set each method's alpha so that its median layer starts with the gradient norm of the reference's.
    alpha_check : bool
        Train each method but the first once more with every seed, at the alpha that matches the norm over all layers,
        and compare losses again: where the verdict is another, it depends on alpha.
    seed : int
        Of the validation split and the samples, the same for all runs.
    threads : int or None
        PyTorch's threads on a CPU; None: as it chooses.
    field : str or None
        Column of the training data that holds the question, where geoprobe cannot tell.
    template : str
        Of prompts: ``chat`` is the tokenizer's own, ``alpaca`` LLM-Adapters', ``plain`` none; ``auto`` is resolved to
        ``chat`` where the tokenizer has one and to ``alpaca`` elsewhere.
    revision : str or None
        Branch, tag or commit of a hub model.
    answers : str
        Whose rules read an answer: ``stated`` (where the model says that it is), or ``llm-adapters`` (as the paper's
        evaluation does).
    beams : int
        Of the search for an answer; 1 is greedy.
    loss : str
        Tokens whose loss counts, in training and on held-out examples: ``response``, or ``full`` for the prompt's too.
    checkpoint : str
        Weights that are tested: the ``last``, or those with the ``best`` validation loss, a validation every
        `validate_every` steps.
    """

    model: str
    train: str
    tasks: tuple[str, ...]
    methods: tuple[str, ...] = _option(
        ("lora", "hyplora"), f"{', '.join(METHODS)}; the first is compared with.  [default: lora,hyplora]"
    )
    seeds: tuple[FromZero, ...] = _option((0, 1, 2), "How many seeds.", "3")
    rates: tuple[PositiveNumber, ...] = _option((3e-4,), "Learning rates of the sweep.", "3e-4")
    budget: Budget = "paper"
    rank: Positive = _option(32, "Rank.", "32")
    alpha: PositiveNumber = _option(64.0, "Output is scaled by alpha / rank.", "64")
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = _option(0.05, "Of the adapters' input.", "0.05")
    targets: tuple[str, ...] = _option(
        PAPER_TARGETS,
        "Layers to adapt, or all-linear.",
        "q, k, v, up and down projections",
    )
    epochs: PositiveNumber = _option(3.0, "Passes over the training data.", "3")
    steps: Positive | None = _option(None, "Optimizer steps, instead of epochs.")
    sweep_steps: Positive | None = _option(None, "Steps of a run of the sweep.")
    batch: Positive = _option(16, "Examples a step.", "16")
    micro_batch: Positive | None = _option(None, "Of these at a time on a device.", panel=RUN)
    cutoff: Positive = _option(256, "Tokens at which examples are cut.", "256", panel=PROMPTS)
    warmup: int = _option(100, "Steps of warm-up, at most a tenth.", "100")
    weight_decay: float = 0.0
    clip: PositiveNumber = 1.0
    validation: Positive = _option(120, "Training examples held out.", "120", panel=PROMPTS)
    validate_every: FromZero = _option(0, "Steps between validations.")
    save_every: FromZero = _option(100, "Steps between checkpoints.", "100", panel=RUN)
    examples: Positive | None = _option(None, "Training examples used, of a sample.", panel=PROMPTS)
    longest: Positive | None = _option(None, "Leave out examples of more tokens instead.", panel=PROMPTS)
    questions: Positive | None = _option(None, "Questions asked a test set, of a sample.", panel=ASKED)
    max_new_tokens: Positive | None = _option(None, "Tokens of the longest answer.", panel=ASKED)
    evaluation_batch: Positive = _option(16, "Questions at a time.", "16", panel=ASKED)
    delta_prompts: int = 32
    precision: Precision = _option("auto", "auto, float32 or bfloat16.", panel=RUN)
    gradient_checkpointing: bool = _option(False, "Less memory, more time.", panel=RUN)
    four_bit: bool = _option(False, "Base model in 4 bits (bitsandbytes, a GPU).", panel=RUN)
    # where HypLoRA clamps K
    curvature: Annotated[float, msgspec.Meta(gt=1e-26, lt=1e26)] | None = _option(
        None, "HypLoRA's K at the start.  [default: by each layer's inputs]"
    )
    curvature_rate: PositiveNumber = _option(1.0, "log K's learning rate over that of the matrices.")
    match_scale: bool = _option(True, "Start the median layer of all methods with one gradient norm.")
    alpha_check: bool = _option(False, "Train again at another alpha: does the loss's verdict depend on it?")
    seed: FromZero = _option(0, "Of samples and the validation split.", panel=PROMPTS)
    threads: Positive | None = _option(None, "PyTorch's threads on a CPU.", panel=RUN)
    field: str | None = _option(None, "QUESTION,RESPONSE: columns of the training data.", panel=PROMPTS)
    template: Template = _option(
        "auto", "Of prompts: chat (the model's own), alpaca, plain; auto: chat or alpaca.", panel=PROMPTS
    )
    revision: str | None = _option(None, "Branch, tag or commit of a hub model.", panel=RUN)
    answers: AnswerRules = _option(
        "stated", "Rules that read answers: stated, or llm-adapters (the paper's).", panel=ASKED
    )
    beams: Positive = _option(1, "Of the search for an answer; 1 is greedy.", "4", panel=ASKED)
    loss: LossOn = _option("response", "Tokens whose loss counts: response, or full.", "full", panel=PROMPTS)
    checkpoint: Tested = _option(
        "last", "Weights that are tested: last, or best on held-out examples.", "best", panel=ASKED
    )

    def __post_init__(self) -> None:
        """Refuse what makes no sense, by name and value."""
        _check(self)

    @property
    def alpha_checks(self) -> int:
        """Trainings at another matching of alpha, at most: none where both matchings give one."""
        return (len(self.methods) - 1) * len(self.seeds) if self.alpha_check and self.match_scale else 0

    def to_dict(self) -> dict[str, Any]:
        """Builtin types only, as JSON gives them back."""
        return dict(msgspec.json.decode(msgspec.json.encode(self)))

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Names of the fields in which a saved set-up differs."""
        mine = self.to_dict()
        return sorted(name for name in {*mine, *other} if mine.get(name, ...) != other.get(name, ...))


#: What each preset changes. paper: its protocol, as `geoprobe.training.protocol` lists it; demo: ten minutes of two
#: cores on a model of 135 million parameters; small: an hour.
BUDGETS: dict[str, dict[str, Any]] = {
    # every training there is hours of a GPU, so none is made again at another alpha unless it is asked for
    "paper": {
        # Math10K's test sets, and Commonsense170K's
        "tasks": (
            *("multiarith", "gsm8k", "addsub", "aqua", "singleeq", "svamp", "mawps"),
            *("boolq", "piqa", "siqa", "hellaswag", "winogrande", "arc-easy", "arc-challenge", "openbookqa"),
        ),
        "loss": "full",
        "checkpoint": "best",
        "validate_every": 200,
        "answers": "llm-adapters",
        "beams": 4,
        "curvature": 1.0,
    },
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
        "alpha_check": True,
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
        "alpha_check": True,
        "questions": 40,
        "max_new_tokens": 64,
        "evaluation_batch": 40,
        "delta_prompts": 16,
    },
}


def make_setup(budget: str = "paper", **chosen: Any) -> Setup:
    """A set-up from a preset and what the user chose besides; None leaves a field to the preset."""
    if budget not in BUDGETS:
        raise UsageError(
            f"There is no budget {budget!r}.", f"{meant(budget, BUDGETS)}Give one of {', '.join(BUDGETS)}."
        )
    given = {
        name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items() if value is not None
    }
    return Setup(**{**BUDGETS[budget], "budget": budget, **given})


@dataclass(frozen=True)
class Choice:
    """A field of `Setup` as a form of input needs it: its type without bounds, and the bounds."""

    name: str
    kind: Any
    several: bool
    optional: bool
    bounds: msgspec.Meta
    default: Any
    help: str
    panel: str


def choices() -> Iterator[Choice]:
    """Every field of `Setup`, in order; those without a help text have no option on the command line."""
    hints = get_type_hints(Setup, include_extras=True)
    for declared in fields(Setup):
        kind = hints[declared.name]
        parts = [part for part in get_args(kind) if part not in (type(None), Ellipsis)]
        several, optional = getattr(kind, "__origin__", None) is tuple, type(None) in get_args(kind)
        if several or optional:
            (kind,) = parts
        bounds = next((part for part in getattr(kind, "__metadata__", ())), msgspec.Meta())
        kind = getattr(kind, "__origin__", kind)
        panel = declared.metadata.get("panel", "")
        yield Choice(declared.name, kind, several, optional, bounds, declared.default, _help(declared), panel)


def _help(of: Field[Any]) -> str:
    paper = of.metadata.get("paper")
    return str(of.metadata.get("help", "")) + (f"  [paper: {paper}]" if paper else "")


#: What the values of a field of several are called one by one.
_ONE_OF = {"rates": "A learning rate", "seeds": "A seed"}


def _check(setup: Setup) -> None:
    unknown = [name for name in setup.methods if name not in METHODS]
    if unknown:
        raise UsageError(
            f"There is no method {unknown[0]!r}.", f"{meant(unknown[0], METHODS)}Give some of {', '.join(METHODS)}."
        )
    for choice in choices():
        value = getattr(setup, choice.name)
        if choice.several:
            _check_several(choice.name, value)
        for one in value if choice.several else () if value is None and choice.optional else (value,):
            if not _within(one, choice.bounds):
                raise UsageError(f"{_ONE_OF.get(choice.name, choice.name)} is {one}.", _expected(choice))
    if setup.micro_batch is not None and setup.batch % setup.micro_batch:
        raise UsageError(
            f"A batch of {setup.batch} cannot be cut into micro-batches of {setup.micro_batch}.",
            "Give a divisor of the batch.",
        )
    if setup.checkpoint == "best" and not setup.validate_every:
        raise UsageError(
            "The best checkpoint cannot be known without validations.",
            "Give the steps between them by --validate-every.",
        )
    for named, known, wrong in _NAMED:
        given, names = getattr(setup, named), get_args(known)
        if given not in names:
            raise UsageError(wrong.format(given), f"{meant(given, names)}Give one of {', '.join(names)}.")


#: Choices that are one of a few names, and what is wrong with another.
_NAMED: tuple[tuple[str, Any, str], ...] = (
    ("precision", Precision, "The precision is {!r}."),
    ("template", Template, "There is no prompt template {!r}."),
    ("answers", AnswerRules, "There are no rules {!r} to read answers by."),
    ("loss", LossOn, "The loss is on {!r}."),
    ("checkpoint", Tested, "There is no checkpoint {!r}."),
)


def _check_several(name: str, values: tuple[Any, ...]) -> None:
    if not values:
        option = "eval" if name == "tasks" else name
        raise UsageError(f"No {name} were given.", f"Give at least one, by --{option}.")
    if len(set(values)) < len(values):
        raise UsageError(f"A value is given twice in {name}: {', '.join(map(str, values))}.", "Give each once.")


def _within(value: Any, bounds: msgspec.Meta) -> bool:
    """Whether a value keeps to its bounds; a number without end or meaning keeps to none."""
    limits = (bounds.gt, bounds.ge, bounds.lt)
    if limits == (None, None, None):
        return True
    return (
        math.isfinite(value)
        and (bounds.gt is None or value > bounds.gt)
        and (bounds.ge is None or value >= bounds.ge)
        and (bounds.lt is None or value < bounds.lt)
    )


def _expected(choice: Choice) -> str:
    """What to give instead of a value out of bounds."""
    bounds, what = choice.bounds, "whole numbers" if choice.kind is int and choice.several else "a number"
    if choice.several and choice.kind is float:
        return f"Give numbers above {bounds.gt}, such as 3e-4."
    low = f"above {bounds.gt}" if bounds.gt is not None else f"from {bounds.ge}"
    if bounds.gt is not None and bounds.lt is not None:
        low = f"between {bounds.gt:g} and {bounds.lt:g}"
    elif bounds.lt is not None:
        low += f" to below {bounds.lt}"
    return f"Give {what} {low}{', or leave it out' if choice.optional else ''}."
