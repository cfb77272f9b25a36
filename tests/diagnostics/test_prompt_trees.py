import numpy as np
import pytest

from geoprobe.diagnostics.hyperbolicity.prompt_trees import PromptTree, _leaf_name, join_prompt, tree_figure
from geoprobe.figure import Labels, Line


def joined(n: int = 12) -> tuple[PromptTree, np.ndarray]:
    vectors = np.random.default_rng(0).standard_normal((n, 5))
    return join_prompt("most", "c", 0.3, tuple(f" t{row}" for row in range(n)), vectors), vectors


def drawn_labels(tree: PromptTree) -> Labels:
    return next(layer for layer in tree_figure(tree).layers if isinstance(layer, Labels))


def test_drawn_edges_have_the_trees_own_lengths() -> None:
    tree, _ = joined()
    edges = [layer for layer in tree_figure(tree).layers if isinstance(layer, Line)]
    assert len(edges) == 2 * 12 - 3  # every node of an unrooted binary tree but the root has its edge
    lengths = sorted(max(length, 0.0) for length, parent in zip(tree.lengths, tree.parents, strict=True) if parent >= 0)
    assert sorted(edge.x[2] - edge.x[0] for edge in edges) == pytest.approx(lengths)


def test_every_leaf_has_a_line_of_its_own_and_its_token() -> None:
    labels = drawn_labels(joined()[0])
    assert sorted(labels.y) == list(range(12))
    assert labels.texts == tuple(f"t{row}" for row in range(12))


def test_no_edges_cross_as_leaves_below_a_node_are_neighbours() -> None:
    tree, _ = joined(20)
    place = dict(zip(range(20), drawn_labels(tree).y, strict=True))
    below: dict[int, set[float]] = {leaf: {y} for leaf, y in place.items()}
    waiting = [node for node in range(len(tree.parents)) if node >= 20]
    while waiting:
        node = waiting.pop(0)
        children = [child for child, parent in enumerate(tree.parents) if parent == node]
        if not all(child in below for child in children):
            waiting.append(node)
            continue
        below[node] = set().union(*(below[child] for child in children))
        assert max(below[node]) - min(below[node]) == len(below[node]) - 1


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        (" the", "the"),
        ("  ", "space"),
        ("\n", "\\n"),
        ("\x00a", "\\x00a"),
        ("日本", "\\u65e5\\u672c"),
        ("x" * 99, "x" * 18),
    ],
)
def test_labels_are_letters_that_every_font_has(token: str, shown: str) -> None:
    assert _leaf_name(token) == shown
