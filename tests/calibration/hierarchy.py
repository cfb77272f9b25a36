"""Planted taxonomies, shuffled ones, and norms that follow frequency alone, through the hierarchy diagnostic."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from calibration.tables import scan_inputs, zipf_documents
from calibration.truth import Outcome, Truth, outcome

from geoprobe.diagnostics.hierarchy.analyzer import HierarchyAnalyzer
from geoprobe.results import VerdictLabel

WORDS, WIDTH = 900, 48
NO: tuple[VerdictLabel, ...] = ("not supported",)

#: Parent of each word (-1 of the first) and a source of randomness, to (V, d) vectors; words are in order of frequency.
World = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def grown(rng: np.random.Generator) -> np.ndarray:
    """(V,) the parent of each node of a random tree, of which the first third has children."""
    return np.concatenate([[-1], [rng.integers(min(node, WORDS // 3)) for node in range(1, WORDS)]])


def depths(parents: np.ndarray) -> np.ndarray:
    """(V,) steps from the root."""
    found, here = np.zeros(len(parents), dtype=np.int64), parents
    while (here >= 0).any():
        found += here >= 0
        here = np.where(here >= 0, parents[here], -1)
    return found


def with_norms(norms: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random directions of these lengths."""
    directions = rng.standard_normal((len(norms), WIDTH))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True) * norms[:, None]


def nothing(parents: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian table."""
    return rng.standard_normal((len(parents), WIDTH))


def by_frequency(slope: float, parents: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Norms that follow frequency, and so go with depth: general words are the frequent ones."""
    return with_norms(2 + slope * np.log(np.arange(len(parents)) + 3) + 0.3 * rng.random(len(parents)), rng)


def branching(noise: float, parents: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each word is its parent and a step of its own, the root at the origin."""
    vectors = np.zeros((len(parents), WIDTH))
    for node in range(1, len(parents)):
        vectors[node] = vectors[parents[node]] + rng.standard_normal(WIDTH) / np.sqrt(WIDTH)
    return vectors + noise * rng.standard_normal(vectors.shape) / np.sqrt(WIDTH)


def outward(sign: int, parents: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Norms that follow frequency and, in one sign or the other, depth, which frequency says nothing of."""
    frequency = 0.1 * np.log(np.arange(len(parents)) + 3)
    return with_norms(3 + frequency + sign * 0.15 * depths(parents) + 0.2 * rng.random(len(parents)), rng)


def run(world: World, seed: int, *, shuffled: bool = False, mixed: bool = False) -> Outcome:
    """One draw: the table is made of the tree, and the taxonomy is the tree, or one that has nothing to do with it.

    In a mixed tree frequency has nothing to do with depth; else general words are the frequent ones.
    """
    rng = np.random.default_rng(seed)
    parents = grown(rng)
    if mixed:
        order = rng.permutation(WORDS)
        relabelled = np.full(WORDS, -1)
        relabelled[order[1:]] = order[parents[1:]]
        parents = relabelled
    inputs = scan_inputs(world(parents, rng), zipf_documents(WORDS, 16, 200, rng))
    place = rng.permutation(WORDS) if shuffled else np.arange(WORDS)
    lines = [f"w{place[child]},w{place[parent]}" for child, parent in enumerate(parents) if parent >= 0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree.csv"
        path.write_text("\n".join(["child,parent", *lines]))
        analyzer = HierarchyAnalyzer(taxonomy=str(path), draws=99, clouds=39, words=60, samples=2, pairs=50)
        result = analyzer.run(inputs, rng)
    return outcome(result, score=result.findings[0].excess)


def truths() -> tuple[Truth, ...]:
    """Known truths and the labels that are right of them."""
    return (
        Truth("a Gaussian table", NO, 0.9, partial(run, nothing), "no"),
        Truth("norms follow frequency", NO, 0.9, partial(run, partial(by_frequency, 0.3)), "no"),
        Truth("norms follow frequency steeply", NO, 0.9, partial(run, partial(by_frequency, 1.0)), "no"),
        Truth("norms fall with frequency's fall", NO, 0.9, partial(run, partial(by_frequency, -0.15)), "no"),
        Truth("a tree, and a shuffled taxonomy", NO, 0.9, partial(run, partial(branching, 0.0), shuffled=True), "no"),
        Truth("a tree", ("supported",), 0.9, partial(run, partial(branching, 0.0)), "yes"),
        Truth("a tree, noise 1", ("supported",), 0.9, partial(run, partial(branching, 1.0)), "yes"),
        Truth(
            "depth goes outward, in any frequency",
            ("supported",),
            0.9,
            partial(run, partial(outward, 1), mixed=True),
            "yes",
        ),
        Truth(
            "depth goes inward, in any frequency",
            ("contradicted",),
            0.9,
            partial(run, partial(outward, -1), mixed=True),
            "no",
        ),
    )
