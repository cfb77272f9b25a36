"""The sentences of an experiment's report."""

from __future__ import annotations

from statistics import median

from geoprobe.report.text import escape
from geoprobe.results import counted, number
from geoprobe.stats.paired import Difference
from geoprobe.training.methods import METHODS
from geoprobe.training.outcome import Outcome
from geoprobe.training.verdict import AlphaCheck, MethodComparison, SetDifference


def name(method: str) -> str:
    """A method as papers write it."""
    return METHODS[method].title if method in METHODS else escape(method, 40)


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f}%"


def points(share: float, *, sign: bool = False) -> str:
    """A difference of shares in percentage points, one decimal, with a true minus."""
    text = f"{100 * share:+.1f}" if sign else f"{100 * share:.1f}"
    return ("0.0" if text in ("-0.0", "+0.0") else text).replace("-", "−")


def difference_line(difference: Difference) -> str:
    """A difference in accuracy with its interval."""
    line = f"{points(difference.value, sign=True)} points"
    if difference.low is None or difference.high is None:
        return f"{line}; no interval, as one seed says nothing of others"
    return f"{line} (95% interval {points(difference.low)} to {points(difference.high)})"


def power_line(difference: Difference) -> str:
    """The true difference that would be found in four of five such experiments."""
    if difference.detectable is None:
        return "none, however large: with one seed a method cannot be told from the luck of its seed"
    if difference.detectable >= 1:
        return (
            f"none, however large: with {difference.seeds} seeds that differ as these do, even 100 points could be luck"
        )
    line = f"a true difference of {points(difference.detectable)} points is found in four of five such experiments"
    return f"{line} (estimated; {_range(difference)})" if difference.detectable_high is not None else line


def _range(difference: Difference) -> str:
    """Where the 80% power effect lies, as few seeds say little of their noise."""
    low, high = difference.detectable_low, difference.detectable_high
    if low is None or high is None:
        return ""
    return f"{points(low)} to {points(high)}" if high < 1 else f"{points(low)} or more"


def bound_lines(difference: Difference) -> tuple[tuple[str, str], ...]:
    """How small the difference in accuracy is for certain, where that was measured."""
    if difference.equivalent is None or difference.equivalent >= 1:
        return ()
    return (("Equivalence", f"differs by less than {points(difference.equivalent)} points (95% confidence)"),)


def loss_bound_lines(difference: Difference) -> tuple[tuple[str, str], ...]:
    """How small the difference in loss is for certain, where that was measured."""
    if difference.equivalent is None:
        return ()
    return (("Equivalence", f"differs by less than {number(difference.equivalent)} nats a token (95% confidence)"),)


def loss_line(difference: Difference) -> str:
    """A difference in validation loss with its interval."""
    line = f"{number(difference.value)} nats a token"
    if difference.low is None or difference.high is None:
        return f"{line}; no interval, as there is one seed"
    return f"{line} (95% interval {number(difference.low)} to {number(difference.high)})"


_ONE_ALPHA = (
    " But what the loss says depends on how alpha is matched, and questions were asked at one matching alone: this may "
    "be alpha's doing, not the method's."
)


def accuracy_reason(compared: MethodComparison) -> str:
    """The verdict on accuracy in a sentence or two."""
    method, reference, overall = name(compared.method), name(compared.reference), compared.overall
    if overall is None:
        return f"No seed was finished by both {method} and {reference} with answers to compare."
    difference = overall.difference
    asked = f"{difference.questions:,} questions, {counted(difference.seeds, 'seed')}"
    if overall.label in ("helps", "hurts"):
        more = "more" if overall.label == "helps" else "fewer"
        return (
            f"{method} answers {points(abs(difference.value))} points {more} of the questions right than {reference}: "
            f"{percent(overall.method_accuracy)} against {percent(overall.reference_accuracy)} ({asked}), "
            "and luck of seeds and questions does not explain it."
            + (_ONE_ALPHA if compared.loss_label == "depends on alpha" else "")
        )
    if overall.method_accuracy == overall.reference_accuracy == 0:
        opening = f"Neither {method} nor {reference} answers any question right ({asked}), so accuracy shows nothing."
    else:
        opening = (
            f"{method} answers {percent(overall.method_accuracy)} of the questions right and {reference} "
            f"{percent(overall.reference_accuracy)} ({asked}), a difference that luck explains{_several(overall)}."
        )
    return f"{opening} {_unseen(difference)}"


def _several(overall: SetDifference) -> str:
    """Why an interval without 0 is still luck: one of several methods would have one so often."""
    difference = overall.difference
    if difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        return ""
    return f" once it counts that several methods were tried (p = {number(overall.corrected)})"


def _unseen(difference: Difference) -> str:
    if difference.detectable is None:
        return "With one seed no difference, however large, can be told from luck: train at least three."
    if difference.detectable >= 1:
        return f"With these {difference.seeds} seeds no difference, however large, could have been seen: train more."
    bound = difference.equivalent
    certain = (
        "" if bound is None or bound >= 1 else f"They differ by less than {points(bound)} points (95% confidence). "
    )
    return (
        f"{certain}A true difference of {points(difference.detectable)} points would be found in four of five such "
        "experiments (80% power, estimated)."
    )


def loss_reason(compared: MethodComparison) -> str:
    """The verdict on validation loss in a sentence."""
    method, reference, loss = name(compared.method), name(compared.reference), compared.loss
    if loss is None:
        return f"No seed has the losses of the held-out examples by both {method} and {reference}."
    side = "lower" if loss.value < 0 else "higher"
    opening = (
        f"{method}'s loss on held-out training examples is {number(abs(loss.value))} nats a token {side} than "
        f"{reference}'s ({counted(loss.seeds, 'seed')}"
    )
    check = compared.alpha_check
    label = compared.loss_label if check is None else check.label
    if not loss.questions:
        called = {"helps": "lower", "hurts": "higher"}.get(label)
        said = f"It was called {called} by seeds alone" if called else "Seeds alone explain it"
        said = f"). {said}, in an experiment that did not keep each example's loss: others may differ."
    else:
        said = f", {counted(loss.questions, 'example')})"
        if label in ("helps", "hurts"):
            said += ", more than seeds and examples differ by."
        elif loss.detectable is None:
            said += "; one seed cannot tell that from luck."
        else:
            said += ", which luck of seeds and examples explains."
            if loss.equivalent is not None:
                said += f" They differ by less than {number(loss.equivalent)} (95% confidence)."
    return f"{opening}{said} {_at_other_alpha(check)}"


def _at_other_alpha(check: AlphaCheck | None) -> str:
    """What becomes of the verdict on loss at another matching of alpha."""
    if check is None:
        return "Whether that depends on alpha was not checked."
    if check.alpha == check.other_alpha:
        return f"Alpha is {number(check.alpha)} by either way of matching it."
    side = "lower" if check.loss.value < 0 else "higher"
    there = (
        f"with alpha matched by the norm over all layers ({number(check.other_alpha)} in place of "
        f"{number(check.alpha)}), where it is {number(abs(check.loss.value))} {side}"
    )
    if check.loss.detectable is None:
        return f"One seed cannot tell that from luck {there}, either."
    if check.label == check.other_label:
        return f"The verdict is the same {there}."
    luck = "which luck explains" if check.other_label == "no detectable difference" else "more than luck gives"
    return f"The verdict is another {there}, {luck}: it depends on alpha."


def learned_by_heart(result: Outcome) -> str:
    """What leaks add to the verdict: a sentence with a space before it, or nothing."""
    leaked = result.leaks_asked
    if not leaked:
        return ""
    asked = sum(task.questions for task in result.tasks)
    return (
        f" But {leaked:,} of the {asked:,} questions asked are among the training data, so this is partly about what "
        "was learned by heart."
    )


def edge_of_sweep(result: Outcome) -> str:
    """What the verdict leaves open where a best rate is at the end of those tried: sentences with a space before."""
    said = ""
    for end, further in (("highest", "higher"), ("lowest", "lower")):
        there = [name(method) for method in result.methods if result.edge_of_sweep(method) == end]
        if len(there) == 1:
            said += f" {there[0]}'s rate is the {end} of those tried, so a {further} one may be better for it."
        elif there:
            said += (
                f" The rates of {' and '.join(there)} are the {end} of those tried, so {further} ones may be better."
            )
    return said


#: A ratio whose interval is wider than this says nothing of a method's cost.
_TOO_NOISY = 1.25


def speed_line(result: Outcome, method: str) -> str:
    """How fast a method trains beside the reference, from steps in turns or, where there are none, from whole runs."""
    reference = result.methods[0]
    both = f"{name(method)} trains {{:.2f}} times as many tokens a second as {name(reference)}"
    for step in result.steps:
        if step.method == method and step.low is not None and step.high is not None:
            if step.high / step.low > _TOO_NOISY:
                return (
                    f"The machine was too busy to say how fast {name(method)} trains beside {name(reference)}: by "
                    f"{step.steps} steps of each in turns, from {step.low:.2f} to {step.high:.2f} times as fast."
                )
            spread = f"95% interval {step.low:.2f} to {step.high:.2f}, {step.steps} steps of each in turns"
            return f"{both.format(step.ratio)} ({spread})."
    speeds = {run.seed: run.tokens_per_second for run in result.final(reference) if run.tokens_per_second}
    runs = [run for run in result.final(method) if run.seed in speeds]
    ratios = sorted(run.tokens_per_second / speeds[run.seed] for run in runs)
    if not ratios:
        return ""
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f} by seed" if len(ratios) > 1 else "one seed"
    return f"{both.format(median(ratios))} ({spread}), by whole runs: what else the machine did moves that."


def borne_out(result: Outcome) -> str:
    """Whether what a scan said of tree-likeness and what HypLoRA did agree."""
    said = next((one.verdict for one in result.diagnosis if one.name == "hyperbolicity"), None)
    compared = next((one for one in result.comparisons if one.method == "hyplora"), None)
    label = None if compared is None else compared.label
    if said is None or label in (None, "no verdict"):
        return "The scan's answers about the embeddings, and the experiment's about training."
    if said == "inconclusive":
        return "Whether they agree cannot be said: the scan came to no answer about the embeddings."
    seen = None if compared is None or compared.overall is None else compared.overall.difference.detectable
    if label == "no detectable difference" and (seen is None or seen >= 1):
        return "Whether they agree cannot be said: the experiment could have seen no difference, however large."
    embeddings = {
        "supported": "the scan finds tree-like embeddings",
        "weak": "the scan's evidence for tree-like embeddings is weak",
    }.get(said, "the scan finds no evidence of tree-like embeddings")
    if label == "no detectable difference":
        bound = None if compared is None or compared.overall is None else compared.overall.difference.equivalent
        small = "" if bound is None or bound >= 1 else f", which is less than {points(bound)} points either way"
        return f"This settles nothing: {embeddings}, and the experiment shows no difference{small}."
    if said in ("weak", "not supported"):  # no evidence is no statement that the experiment could agree with
        return f"This settles little: {embeddings}, and hyperbolic adaptation {label}."
    agree = "They agree" if (said == "supported") == (label == "helps") else "They do not agree"
    return f"{agree}: {embeddings}, and hyperbolic adaptation {label}."
