"""Hidden states made up, since their truth must be known; tests/sources/models/test_states.py runs a real model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from builders import WORDS, scan_inputs

from geoprobe.diagnostics.states.analyzer import StatesAnalyzer
from geoprobe.diagnostics.states.layers import measure_layer
from geoprobe.diagnostics.states.result import StatesResult
from geoprobe.diagnostics.states.verdict import judge
from geoprobe.errors import UsageError
from geoprobe.stats.spaces import hierarchy

RNG = np.random.default_rng
TEXTS = [" ".join(RNG(row).permutation(WORDS)[:22]) for row in range(20)]


@dataclass(frozen=True, eq=False)
class MadeUpStates:
    """Layer 0 is noise, layer 1 noise behind a far first token, layer 2 a hierarchy of each prompt's own."""

    width: int = 48
    layers: int = 2

    def read(self, prompts: Sequence[np.ndarray], layers: Sequence[int]) -> tuple[tuple[np.ndarray, ...], ...]:
        return tuple(tuple(self._states(ids, layer, place) for place, ids in enumerate(prompts)) for layer in layers)

    def _states(self, ids: np.ndarray, layer: int, place: int) -> np.ndarray:
        rng = RNG([layer, place])
        if layer == 2:
            return hierarchy(len(ids), self.width, rng).astype(np.float32)
        states = rng.standard_normal((len(ids), self.width))
        if layer == 1:
            states[0] *= 100.0
        return states.astype(np.float32)


def run(*layers: int, texts: list[str] = TEXTS, **options: int) -> StatesResult:
    inputs = replace(scan_inputs(texts), states=MadeUpStates())
    return StatesAnalyzer(layers=layers, **{"draws": 79, **options}).run(inputs, RNG(0))


def test_noise_is_explained_by_both_nulls() -> None:
    result = run(0)
    (layer,) = result.layers
    assert result.verdict.label == "not supported"
    assert abs(layer.rotated.z or 0) < 4
    assert abs(layer.mixed.z or 0) < 4
    assert layer.delta == pytest.approx(layer.delta_null, rel=0.05)
    assert not layer.has_sink


def test_a_hierarchy_within_each_prompt_is_more_treelike_than_both_nulls() -> None:
    result = run(-1)
    (layer,) = result.layers
    assert layer.layer == 2
    assert result.verdict.label == "supported"
    assert layer.rotated.more_treelike
    assert layer.mixed.more_treelike


def test_a_far_first_token_brings_delta_near_zero_and_is_named_a_sink() -> None:
    result = run(1)
    (layer,) = result.layers
    assert layer.delta < 0.02
    # and so is that of random directions with its norm: it is no evidence
    assert layer.delta_null == pytest.approx(layer.delta, rel=0.3)
    assert layer.delta_pvalue > 0.05
    assert layer.delta_rest > 0.1
    assert layer.first_norm == pytest.approx(100, rel=0.3)
    assert result.verdict.label == "not supported"
    assert "attention sink" in result.verdict.reason


def test_layers_are_corrected_together_and_shown_in_their_order() -> None:
    result = run(2, 0)
    assert [layer.layer for layer in result.layers] == [0, 2]
    assert result.verdict.label == "weak"
    assert result.layers[1].rotated.holm == pytest.approx(4 / 80)
    assert result.estimate.value == result.layers[1].holland


def test_a_repeated_state_is_one_point() -> None:
    # "the the the ..." has one state at layer 0, and no four points
    result = run(0, texts=["the of the of the of the of the of"] * 30)
    assert result.verdict.label == "inconclusive"
    assert result.figures() == ()


def test_the_same_seed_gives_the_same_result() -> None:
    assert run(0, 2, draws=79) == run(0, 2, draws=79)


def test_it_passes_through_builtin_types() -> None:
    result = run(0, 1, draws=79)
    assert StatesResult.from_dict(result.to_dict()) == result


def test_a_scan_without_a_model_to_run_is_refused() -> None:
    with pytest.raises(UsageError, match="model that can be run"):
        StatesAnalyzer().run(scan_inputs(TEXTS), RNG(0))


def test_at_the_embedding_tokens_that_prompts_share_are_not_twins_in_the_null() -> None:
    """Vectors without any structure, the same for a token wherever it stands, and tokens as frequent as words are."""
    rng = RNG(0)
    vectors = rng.standard_normal((400, 32))
    likely = 1 / np.arange(1, 401)
    prompts = [rng.choice(400, 60, p=likely / likely.sum()) for _ in range(24)]
    layer = measure_layer(0, [vectors[ids] for ids in prompts], 99, RNG(1))
    assert abs(layer.mixed.z or 0) < 3
    assert layer.mixed.pvalue > 0.02
    # δ grows with the number of points: a token's second place is none
    assert layer.delta == pytest.approx(layer.delta_null, rel=0.03)


def test_the_layer_that_is_quoted_is_the_layer_that_is_meant() -> None:
    reason = run(0, 2).verdict.reason
    assert "At layer 2 states are more tree-like" in reason
    assert "at layer 2), " in reason
    shallow = replace(run(0, 2).layers[1], layer=0)
    deep = replace(run(0, 2).layers[0], layer=2)
    assert "at layer 0), " in judge((shallow, deep)).reason


def test_a_corpus_without_prompts_takes_none_away() -> None:
    inputs = replace(scan_inputs(TEXTS), states=MadeUpStates())
    empty = replace(inputs.prompts[0], corpus="counts", ids=())
    found = StatesAnalyzer(layers=(0,), prompts=16, draws=39).run(
        replace(inputs, prompts=(empty, *inputs.prompts)), RNG(0)
    )
    assert found.n_prompts == 16
