"""The verdict on hidden states: at which layers they are more tree-like than which nulls."""

from __future__ import annotations

from collections.abc import Sequence

from geoprobe.diagnostics.hyperbolicity.against_null import LEVEL, MARGIN
from geoprobe.diagnostics.states.layers import LayerStates
from geoprobe.results import Verdict, VerdictLabel, number

MIN_PROMPTS = 10
MIN_TOKENS = 8
RULE = (
    "A layer's states are called more tree-like than a null where Holland's index is lower at 5%, Holm-corrected over "
    f"layers and nulls, and by at least {MARGIN}. Supported where at every layer looked at they are more tree-like "
    "than covariance and norms explain and than states exchanged between prompts; weak where only some of this holds; "
    "not supported where at no layer covariance and norms fail to explain them; inconclusive with fewer than "
    f"{MIN_PROMPTS} prompts of at least {MIN_TOKENS} different tokens. The paper's δ decides nothing."
)


def judge(layers: Sequence[LayerStates]) -> Verdict:
    """The verdict by `RULE`; layers in rising order, their p corrected."""
    beyond_covariance = [each.layer for each in layers if each.rotated.more_treelike]
    beyond_others = [each.layer for each in layers if each.rotated.more_treelike and each.mixed.more_treelike]
    label: VerdictLabel = "weak" if beyond_covariance else "not supported"
    if len(beyond_others) == len(layers):
        label = "supported"
    shown = next((each for each in reversed(layers) if each.layer in beyond_covariance), layers[-1])
    figures = f"{number(shown.holland)} against {number(shown.rotated.null_mean)} at layer {shown.layer}"
    if not beyond_covariance:
        said = f"States are no more tree-like than their covariance and norms explain (Holland's index {figures})"
    else:
        said = (
            f"At {_layers(beyond_covariance, len(layers))} states are more tree-like than their covariance and norms "
            f"explain (Holland's index {figures}), "
        )
        said += (
            f"at {_layers(beyond_others, len(layers))} more than states of other prompts"
            if beyond_others
            else f"but not more than states of other prompts ({number(shown.mixed.null_mean)})"
        )
    deepest = layers[-1]
    below = "below" if deepest.delta_pvalue <= LEVEL else "not below"
    told = (
        f"The paper's δ of layer {deepest.layer} is {number(deepest.delta)} where random directions with the same "
        f"norms give {number(deepest.delta_null)}: {below} its null."
    )
    sinks = [each.layer for each in layers if each.has_sink]
    if sinks:
        told += (
            f" At {_layers(sinks, len(layers))} the first token is an attention sink, and a low δ there is about that "
            "token alone."
        )
    return Verdict(label, f"{said}. {told}", RULE)


def _layers(numbers: Sequence[int], looked_at: int) -> str:
    if len(numbers) == looked_at > 1:
        return "every layer looked at"
    return f"layer{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
