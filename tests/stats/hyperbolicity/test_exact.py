import os
import signal
import subprocess
import sys
import time
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoprobe.stats import spaces
from geoprobe.stats.hyperbolicity import (
    ExactDelta,
    delta,
    delta_basepoint,
    euclidean_distances,
    exact_kernels,
    four_point_batch,
    hop_distances,
)

from .reference import KINDS, brute_delta, random_metric


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(4, 20))
def test_equals_a_loop_over_all_quadruples(kind, seed, n):
    distances = random_metric(kind, n, np.random.default_rng(seed))
    found = delta(distances)
    assert found.delta == pytest.approx(brute_delta(distances), abs=1e-12 * distances.max())
    assert found.exact
    assert found.upper == found.delta


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [63, 150])
def test_equals_every_quadruple_by_the_kernel_that_never_prunes(kind, n):
    distances = random_metric(kind, n, np.random.default_rng(n))
    exact = four_point_batch([distances], precomputed=True).delta[0]
    assert delta(distances).delta == pytest.approx(exact, abs=1e-12 * distances.max())


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: spaces.hyperbolic(140, 2, 12.0, rng),
        lambda rng: spaces.hyperbolic(140, 10, 12.0, rng),
        lambda rng: euclidean_distances(spaces.hierarchy(140, 300, rng)),
        lambda rng: euclidean_distances(spaces.clusters(140, 300, rng)),
        lambda rng: np.rint(1000 * spaces.hyperbolic(140, 2, 12.0, rng)),
    ],
)
def test_spaces_that_defeat_pruning_equal_the_kernel_that_never_prunes(draw):
    distances = draw(np.random.default_rng(1))
    exact = four_point_batch([distances], precomputed=True).delta[0]
    assert delta(distances).delta == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_witness_attains_delta_across_its_diagonals(kind):
    distances = random_metric(kind, 50, np.random.default_rng(7))
    found = delta(distances)
    a, b, c, d = found.quadruple
    sums = (
        distances[a, c] + distances[b, d],
        distances[a, b] + distances[c, d],
        distances[a, d] + distances[b, c],
    )
    assert sums[0] == max(sums)
    assert (sums[0] - max(sums[1:])) / 2 == found.delta
    assert found.delta == 0 or len({a, b, c, d}) == 4


def test_the_five_cycle_and_the_grid_have_the_deltas_of_the_literature():
    """Odd cycles of length 4k + 1 have delta k - 1/2; an r by r grid has delta r - 1 (Wu and Zhang 2011)."""
    for k in (1, 2, 5):
        ring = np.array([[i, (i + 1) % (4 * k + 1)] for i in range(4 * k + 1)])
        assert delta(hop_distances(ring, 4 * k + 1)).delta == k - 0.5
    assert delta(spaces.grid(49)).delta == 6.0
    assert delta(spaces.grid(49)).relative == 1.0


def test_block_graphs_of_networkx_have_delta_zero():
    """Every block a clique: zero-hyperbolic (Howorka 1979)."""
    graph = nx.windmill_graph(5, 4)
    assert delta(np.asarray(nx.floyd_warshall_numpy(graph))).delta == 0.0
    tree = spaces.random_tree(300, np.random.default_rng(0))
    assert delta(tree).delta == pytest.approx(0.0, abs=1e-12 * tree.max())


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_law_no_base_exceeds_it_some_base_attains_it_and_each_has_half(seed):
    distances = random_metric("euclidean", 16, np.random.default_rng(seed))
    exact = delta(distances).delta
    bases = np.array([delta_basepoint(distances, base).delta for base in range(16)])
    assert bases.max() == pytest.approx(exact, abs=1e-12)
    assert (bases >= exact / 2 - 1e-12).all()


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_law_delta_scales_with_the_metric(scale):
    distances = random_metric("euclidean", 60, np.random.default_rng(5))
    assert delta(scale * distances).delta == pytest.approx(scale * delta(distances).delta, rel=1e-9)


def test_one_thread_finds_the_same_quadruple(on_one_thread):
    distances = euclidean_distances(spaces.gaussian(300, 20, np.random.default_rng(3)))
    many = delta(distances)
    one = on_one_thread(lambda: delta(distances))
    assert many == one


def test_a_budget_ends_the_search_with_an_interval_that_holds_delta():
    distances = spaces.hyperbolic(260, 2, 12.0, np.random.default_rng(0))
    exact = delta(distances)
    began = time.perf_counter()
    stopped = delta(distances, budget=0.0)
    assert time.perf_counter() - began < 2.0
    assert not stopped.exact
    assert stopped.delta <= exact.delta <= stopped.upper <= stopped.diameter / 2
    assert stopped.relative_upper >= exact.relative
    assert delta(distances, budget=60.0).exact


def test_an_interrupt_stops_a_search_of_minutes_at_once():
    script = (
        "import numpy as np, signal\n"
        # what a shell starts in the background ignores it
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from geoprobe.stats import spaces\n"
        "from geoprobe.stats.hyperbolicity import delta\n"
        "delta(spaces.grid(16)); delta(spaces.hyperbolic(50, 2, 12.0, np.random.default_rng(0)))\n"
        "distances = spaces.hyperbolic(3000, 2, 12.0, np.random.default_rng(0))\n"
        "print('ready', flush=True)\n"
        "delta(distances, check=False)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(1.5)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=5)
        assert b"KeyboardInterrupt" in errors
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fewer_than_four_points_are_a_tree(n):
    found = delta(np.ones((n, n)) - np.eye(n))
    assert (found.delta, found.quadruple, found.upper, found.exact) == (0.0, None, 0.0, True)


def test_points_that_coincide_have_delta_zero():
    found = delta(np.zeros((5, 5)))
    assert (found.delta, found.relative, found.exact) == (0.0, 0.0, True)


def test_the_worst_triangle_is_the_one_named():
    distances = random_metric("euclidean", 30, np.random.default_rng(0))
    distances[4, 9] = distances[9, 4] = 40.0
    excess = max(
        distances[x, z] - distances[x, y] - distances[y, z] for x, z in combinations(range(30), 2) for y in range(30)
    )
    with pytest.raises(ValueError, match=rf"d\(9, 4\) = 40 exceeds .* by {excess:.3g}"):
        delta(distances)


def test_a_negative_budget_is_refused():
    with pytest.raises(ValueError, match="budget is -1"):
        delta(np.zeros((5, 5)), budget=-1.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.05, 1.0, 30.0])
def test_listed_pairs_hold_the_best_gap_of_a_loop_over_all_quadruples(kind, size):
    distances = size * random_metric(kind, 12, np.random.default_rng(5))
    first, second = np.nonzero(np.triu(np.ones((12, 12)), 1))
    order = np.argsort(-distances[first, second], kind="stable")
    pairs = np.stack([first[order], second[order]], axis=1)
    found = np.zeros(4, np.int64)
    best = exact_kernels.search_far_pairs(distances, pairs, 0.0, 0.0, np.zeros(1, np.int8), found)
    expected = 2 * brute_delta(distances)
    assert best == pytest.approx(expected, rel=1e-12, abs=1e-12 * size)
    if expected > 1e-9 * size:
        a, b, c, d = found
        sums = sorted(
            [distances[a, b] + distances[c, d], distances[a, c] + distances[b, d], distances[a, d] + distances[b, c]]
        )
        assert sums[2] - sums[1] == pytest.approx(expected, rel=1e-12)


def test_the_best_middle_is_that_of_a_loop():
    rng = np.random.default_rng(6)
    from_base, row, other = rng.random((3, 50)).astype(np.float32)
    for to_x, to_z in ((0.3, 0.9), (0.9, 0.3), (5.0, 0.1)):
        expected = max(p - max(x + to_z, z + to_x) for p, x, z in zip(from_base, row, other, strict=True))
        found = exact_kernels.best_middle(from_base, row, other, np.float32(to_x), np.float32(to_z))
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_relative_bounds_do_not_move_with_the_scale(size):
    found = ExactDelta(0.2 * size, (0, 1, 2, 3), 0.8 * size, 0.3 * size, False)
    assert found.relative == pytest.approx(0.5)
    assert found.relative_upper == pytest.approx(0.75)
