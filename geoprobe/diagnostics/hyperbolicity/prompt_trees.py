"""Neighbour-joining trees of single prompts: the most and the least tree-like, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from geoprobe.compact import Compact
from geoprobe.data import ScanInputs
from geoprobe.diagnostics.hyperbolicity.points import first_distinct, vectors_of
from geoprobe.figure import Axis, Figure, Labels, Line, floats
from geoprobe.results import number
from geoprobe.stats.hyperbolicity import euclidean_distances, neighbour_joining

#: Fewest and most distinct tokens of a prompt that is drawn.
_FEWEST, _MOST = 10, 40


@dataclass(frozen=True)
class PromptTree(Compact):
    """A prompt's distinct tokens, joined.

    It is the ``most`` or ``least`` tree-like one. Nodes have the leaves first; the parent of the root is -1. Lengths
    are of the edge to the parent; neighbour joining may make one negative.
    """

    which: str
    corpus: str
    holland: float
    tokens: tuple[str, ...]
    parents: tuple[int, ...]
    lengths: tuple[float, ...]


def join_prompt(
    which: str, corpus: str, holland: float, tokens: tuple[str, ...], vectors: Float64[np.ndarray, "n d"]
) -> PromptTree:
    """Join a prompt's tokens by their Euclidean distances (Saitou and Nei 1987)."""
    joined = neighbour_joining(euclidean_distances(vectors))
    return PromptTree(
        which, corpus, holland, tokens, tuple(int(node) for node in joined.parents), floats(joined.lengths)
    )


def extreme_prompts(
    inputs: ScanInputs, chosen: Sequence[tuple[str, Int64[np.ndarray, " _"]]], holland: Float64[np.ndarray, " m"]
) -> tuple[PromptTree, ...]:
    """The prompts with the lowest and the highest Holland index, among those long enough to be worth a look."""
    long_enough = [place for place, (_, ids) in enumerate(chosen) if len(np.unique(ids)) >= _FEWEST]
    if len(long_enough) < 2:
        return ()
    trees = []
    for which, place in (
        ("most", min(long_enough, key=lambda place: holland[place])),
        ("least", max(long_enough, key=lambda place: holland[place])),
    ):
        corpus, ids = chosen[place]
        rows = first_distinct(ids, _MOST)
        tokens = tuple(inputs.embedding.tokens[row] for row in rows)
        trees.append(join_prompt(which, corpus, float(holland[place]), tokens, vectors_of(inputs, rows)))
    return tuple(trees)


def tree_figure(tree: PromptTree) -> Figure:
    """The tree from its root on the left to the tokens on the right, edges to scale."""
    parents = np.array(tree.parents)
    depth, height = _layout(parents, np.maximum(np.array(tree.lengths), 0.0), len(tree.tokens))
    root = int(np.flatnonzero(parents < 0)[0])
    edges = [
        Line(
            (depth[parents[node]], depth[parents[node]], depth[node]),
            (height[parents[node]], height[node], height[node]),
        )
        for node in range(len(parents))
        if node != root
    ]
    leaves = range(len(tree.tokens))
    margin = 0.02 * max(depth)
    names = tuple(_leaf_name(token) for token in tree.tokens)
    labels = Labels(floats(depth[leaf] + margin for leaf in leaves), floats(height[leaf] for leaf in leaves), names)
    return Figure(
        f"tree-{tree.which}",
        f"The {tree.which} tree-like prompt, as a tree",
        f"Neighbour-joining tree of the first {len(tree.tokens)} distinct tokens of a prompt of {tree.corpus} "
        f"(Holland's index of the whole prompt {number(tree.holland)}). Every set of points gets a tree: long inner "
        "edges mean that it fits, a comb of short ones that there is none.",
        Axis("distance from the root", limits=(-0.02 * max(depth), 1.3 * max(depth))),
        Axis("", limits=(len(tree.tokens) - 0.5, -0.5), ticks=()),
        (*edges, labels),
        aspect=1.0,
    )


def _layout(
    parents: Int64[np.ndarray, " nodes"], lengths: Float64[np.ndarray, " nodes"], leaves: int
) -> tuple[list[float], list[float]]:
    """Distance from the root of each node, and its place from top to bottom, inner nodes amid their children."""
    children: dict[int, list[int]] = {}
    for node, parent in enumerate(parents.tolist()):
        children.setdefault(parent, []).append(node)
    depth, height = [0.0] * len(parents), [0.0] * len(parents)
    order: list[int] = []
    waiting = list(children[-1])
    while waiting:
        node = waiting.pop()
        order.append(node)
        parent = int(parents[node])
        depth[node] = depth[parent] + float(lengths[node]) if parent >= 0 else 0.0
        waiting.extend(children.get(node, ()))
    for place, leaf in enumerate(node for node in order if node < leaves):
        height[leaf] = float(place)
    for node in reversed(order):
        if node in children:
            height[node] = sum(height[child] for child in children[node]) / len(children[node])
    return depth, height


def _leaf_name(token: str) -> str:
    """A token in letters that every font has."""
    name = token.strip(" ").encode("ascii", "backslashreplace").decode().replace("\n", "\\n").replace("\t", "\\t")
    name = "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in name)
    return name[:18] or "space"
