"""Frequent words in two planes."""

import numpy as np
import pytest
from builders import scan_inputs

from geoprobe.diagnostics.hyperbolicity.points import usable_rows
from geoprobe.diagnostics.hyperbolicity.token_map import TokenMap, in_disk, map_tokens, word_map
from geoprobe.stats.hyperbolicity import euclidean_distances
from geoprobe.stats.hyperbolicity.embedding import embed_in_all

WORDS = [f"{a}{b}{a}" for a in "abcdefgh" for b in "klmno"]
TEXTS = [" ".join(WORDS[: 4 + place % 37]) for place in range(60)]


def made(vectors: np.ndarray | None = None) -> TokenMap:
    inputs = scan_inputs(TEXTS, words=WORDS, vectors=vectors)
    found = map_tokens(inputs, usable_rows(inputs), np.random.default_rng(0))
    assert found is not None
    return found


def disk_distances(places: np.ndarray) -> np.ndarray:
    """Of curvature −1, by the formula of the Poincaré disk."""
    gaps = ((places[:, None] - places[None]) ** 2).sum(axis=2)
    free = 1 - (places**2).sum(axis=1)
    return np.arccosh(1 + 2 * gaps / (free[:, None] * free[None]))


@pytest.mark.parametrize("curvature", [-0.5, -4.0])
def test_places_in_the_disk_have_the_distances_of_the_lorentz_model(curvature: float) -> None:
    tangents = np.random.default_rng(1).standard_normal((9, 2))
    lengths = np.linalg.norm(tangents, axis=1) * np.sqrt(-curvature)
    space = np.sinh(lengths)[:, None] * tangents / np.linalg.norm(tangents, axis=1)[:, None]
    time = np.cosh(lengths)
    lorentz = np.arccosh(np.maximum(time[:, None] * time - space @ space.T, 1))
    off = ~np.eye(9, dtype=bool)
    assert disk_distances(in_disk(tangents, curvature))[off] == pytest.approx(lorentz[off], rel=1e-6)


def test_a_flat_solution_is_drawn_around_the_middle() -> None:
    assert np.abs(in_disk(np.array([[3.0, 0.0], [0.0, 4.0]]), 0.0)).max() == pytest.approx(np.tanh(0.5))


def test_the_most_frequent_words_come_first_each_once() -> None:
    found = made()
    assert found.tokens[:4] == tuple(WORDS[:4])
    assert len(set(found.tokens)) == len(found.tokens) == len(WORDS)
    assert all(np.hypot(*place) < 1 for place in found.disk)


def test_a_cloud_saves_what_its_null_saves_and_stresses_are_those_of_the_embedding_itself() -> None:
    vectors = np.random.default_rng(2).standard_normal((len(WORDS) + 1, 32)).astype(np.float32)
    found = made(vectors)
    assert found.disk_stress == pytest.approx(found.null_disk_stress, rel=0.25)
    assert found.plane_stress == pytest.approx(found.null_plane_stress, rel=0.1)
    table = scan_inputs(TEXTS, words=WORDS, vectors=vectors).embedding
    rows = np.array([table.tokens.index(word) for word in found.tokens])
    flat, curved, _ = embed_in_all(euclidean_distances(vectors[rows].astype(float)), 2)
    assert (found.plane_stress, found.disk_stress) == pytest.approx((flat.stress, curved.stress), rel=0.05)


def test_what_curvature_saves_is_said_beside_what_it_saves_of_the_null() -> None:
    shown = word_map(TokenMap(("a", "b"), ((0.0, 0.0),) * 2, ((0.0, 0.0),) * 2, 0.1, 0.4, 0.05, 0.5))
    assert "saves 75% of the flat one's error" in shown.caption
    assert "it saves 90%: only what is beyond that is not mere room." in shown.caption
    assert [figure.name for figure in shown.figures] == ["map-disk", "map-plane"]
