"""How each part of an experiment's report was measured, and what it does not show, by the choices that were made."""

from __future__ import annotations

from geoprobe.training.outcome import Outcome
from geoprobe.training.protocol import is_earlier
from geoprobe.training.report.words import name

_PAIRED = (
    "Every method answers the same questions after training with the same seeds, so they are compared pair by pair: "
    "each question of each seed is a win, a loss or a tie. The interval comes from a bootstrap at two levels. "
    "Questions are resampled, the same ones for every seed. Seeds are few, and resampling three of them gives "
    "intervals that are far too narrow; that part of the noise is Student's t with one degree of freedom fewer than "
    "there are seeds. On simulated experiments without a difference this says helps or hurts at most 5 times in 100."
)
_POWER = (
    "The 80% power effect is the true difference that four of five repetitions of this experiment would find; half of "
    "it is found in about a third. It is estimated from the noise of a few seeds: its range says where it lies in 80 "
    "of 100 experiments. What rules a difference out is the equivalence bound, from two one-sided tests at 5%: the "
    "true difference is smaller than it, in either direction. More seeds lower both fastest."
)
_RULES = {
    "stated": "A number is read behind ####, in \\boxed or from the sentence that says the answer is; else it is the "
    "last that no line checks; right within 0.001. A letter is read from the same places, or where the output opens "
    "with it, or else as the last in brackets or alone; an option word is the first. What a model thinks aloud "
    "(<think>) is no answer.",
    "llm-adapters": "Answers are read as in LLM-Adapters' evaluation, and letters as in the paper's: a number is the "
    "last one of all, right within 0.001; an option word is the first; a letter is the last in \\boxed, else in "
    "brackets, else behind the words answer is.",
}
_GEOMETRY = (
    "δ is the paper's statistic: 2δ/diam of a prompt's final hidden states by Euclidean distance from the first "
    "token, averaged over prompts. In many dimensions it is low for unstructured points too, so a change says that "
    "states moved, not that they became a tree. It decides nothing here.",
    "K is learned with the adapter, from where the maps are exact for most inputs of each layer. How far it can move "
    "is bounded by its learning rate: that it moved little does not say that the space did not matter.",
)
_COST = (
    "Tokens a second count what is trained on, padding left out, validation included in the time. Peak memory is of "
    "the device on a GPU and of the whole process otherwise. The ratio is of single steps of a few examples, all "
    "methods in turns in one process before the first training, so that what else the machine does falls on all alike; "
    "its interval is Student's, of the logarithms of steps side by side. Where these were not measured it is the "
    "median over seeds of whole runs.",
)
_LEAKS = (
    "A question is looked for in all that is learned from: prompts, with system texts, earlier turns and further "
    "input, and responses. Word for word: its words stand there one after the other, without case and punctuation, and "
    "without its options where it has eight words or more; one of fewer than five words must be a sentence of its own. "
    "Nearly: within twice its length one text has at least half of its runs of four words, eight of them or more, and "
    "most of its numbers; so nothing under eleven words is found nearly. Measured on GSM8K's own training and test "
    "sets, none is found so, and 81% of questions are found again after every tenth word is replaced. A rewording in "
    "other words is not found, nor one story told with other numbers.",
)
_PROMPTS_ALONE = (
    "This experiment looked at whole prompts alone: a question behind a system text, in an earlier turn or in a "
    "response was not found. Word for word: the same words in the same order, without case and punctuation. Nearly: "
    "one training example has at least half of the question's runs of four words, eight of them or more, and most "
    "of its numbers."
)
_PROTOCOL = (
    "--budget paper makes every choice of the paper's that can be made. Three it does not make: alpha is matched by "
    "gradient, as the printed gains are not at equal alpha; examples of a batch are of like length, so that padding is "
    "not what is computed; and a warm-up is at most a tenth of a run.",
)
_SCAN = (
    "A scan looks at the untrained model's token embeddings, an experiment at what training does. Tree-likeness of "
    "the embeddings is the paper's argument for HypLoRA. An experiment that finds no difference does not refute it: "
    "a smaller one than it could see may be there. Nor does one that finds a difference prove it: what a method does "
    "better or worse may have another reason.",
)


_CHECKED = (
    " That is one of several ways to match, and it can decide the verdict. So each method was trained again at the "
    "alpha by the norm over all layers, which few layers make, and its loss compared again; a verdict that is not the "
    "same at both is alpha's as much as the method's. This makes helps and hurts rarer, never more frequent, and a "
    "true difference that can only just be seen is often called so too: more seeds mend that."
)
_UNCHECKED = (
    " That is one of several ways to match, and it can decide the verdict: whether it does was not checked "
    "(--alpha-check trains each method again at another)."
)


def accuracy_methods(result: Outcome) -> tuple[str, ...]:
    """Of the verdict on accuracy."""
    rules = _RULES.get(str(result.setup.get("answers", "stated")), _RULES["stated"])
    rates = " or other learning rates than those swept" if _swept(result) else " or another learning rate"
    return (
        _PAIRED,
        _POWER,
        f"{_decoding(result)} {rules} The predictions are saved beside this report, a line each, with what read them.",
        f"What this does not show: another model, other data, longer training{rates}.",
    )


def loss_methods(result: Outcome) -> tuple[str, ...]:
    """Of the verdict on loss."""
    matched = result.setup.get("match_scale", True) and len(result.methods) > 1
    which = "all layers together start" if is_earlier(result.setup) else "the median layer starts"
    alpha = (
        f"Alpha is each method's own: it is set so that {which} with the gradient of "
        f"{name(result.methods[0])}'s; the table has it."
        if matched
        else "They share alpha, too."
    )
    if matched:
        alpha += _CHECKED if any(one.alpha_check for one in result.comparisons) else _UNCHECKED
    rate = (
        "All try the same learning rates, and each trains with that of its own lowest loss on training examples that "
        "are held out for that alone."
        if result.training.choosing
        else "All try the same learning rates, and each trains with that of its own lowest loss on held-out examples, "
        "the same ones that losses are compared on."
        if _swept(result)
        else "One learning rate was given, and all train with it: another may suit one of them better."
    )
    counted = (
        " The prompt's tokens count, too."
        if result.setup.get("loss") == "full"
        else " The response's tokens count alone."
    )
    tested = (
        " What is tested are the weights with the lowest loss on these examples, so it is lower than on others."
        if result.setup.get("checkpoint") == "best"
        else ""
    )
    return (
        f"All methods share the order of the data, the seeds, the first A matrices, steps and rank. {alpha} {rate}",
        "The loss is compared on other held-out examples than any that were trained on, pair by pair: each example of "
        "each seed. The interval is that of accuracy, at two levels, examples and seeds, as other examples would have "
        "given another difference. On simulated experiments without a difference this says helps or hurts about 5 "
        "times in 100 or less. It notices smaller differences than accuracy does, and matters less: a lower loss on "
        "more text of the training data need not answer a question." + counted + tested,
    )


def geometry_methods(_: Outcome) -> tuple[str, ...]:
    """Of what training did to the geometry."""
    return _GEOMETRY


def cost_methods(_: Outcome) -> tuple[str, ...]:
    """Of the cost."""
    return _COST


def leak_methods(result: Outcome) -> tuple[str, ...]:
    """Of test questions among the training data."""
    return _LEAKS if result.leaks is None or result.leaks.everywhere else (_PROMPTS_ALONE,)


def protocol_methods(_: Outcome) -> tuple[str, ...]:
    """Of the paper's protocol beside this one."""
    return _PROTOCOL


def scan_methods(_: Outcome) -> tuple[str, ...]:
    """Of scan and experiment side by side."""
    return _SCAN


def _decoding(result: Outcome) -> str:
    beams = result.setup.get("beams", 1)
    return f"Answers are the best of {beams} beams." if isinstance(beams, int) and beams > 1 else "Answers are greedy."


def _swept(result: Outcome) -> bool:
    return len({run.learning_rate for run in result.runs if run.purpose == "sweep"}) > 1
