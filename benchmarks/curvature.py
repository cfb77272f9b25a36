"""Ollivier–Ricci and Forman curvature of a neighbour graph's edges beside GraphRicciCurvature's.

Run: ``python benchmarks/curvature.py`` where the peer is installed (`make bench`). The graph joins 400 Gaussian points
in 64 dimensions to their 16 nearest; both compute every edge, by exact transport. Times are medians over turns. Exits
with 1 where values differ by more than 1e-9 or a bar is missed.
"""

import sys
import time
from statistics import median

import networkx as nx
import numpy as np
from GraphRicciCurvature.FormanRicci import FormanRicci
from GraphRicciCurvature.OllivierRicci import OllivierRicci
from table import keep

from geoprobe.stats.curvature import edges_of, forman_curvature, ollivier_curvature
from geoprobe.stats.neighbours import nearest_neighbours, symmetrised

RATIO, DIFFERENCE, TURNS = 1.0, 1e-9, 3


def main() -> None:
    points = np.random.default_rng(0).normal(size=(400, 64))
    adjacency = symmetrised(nearest_neighbours(points, 16))
    edges = edges_of(adjacency)
    ours, theirs = [], []
    for _ in range(TURNS):
        begin = time.perf_counter()
        curvature = ollivier_curvature(adjacency, edges, idleness=0.5)
        ours.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        # one process, as here
        peer = OllivierRicci(nx.from_numpy_array(adjacency), alpha=0.5, method="OTD", proc=1, verbose="ERROR")
        peer.compute_ricci_curvature()
        theirs.append(time.perf_counter() - begin)
    forman = FormanRicci(nx.from_numpy_array(adjacency))
    forman.compute_ricci_curvature()
    pairs = (curvature, peer.G, "ricciCurvature"), (forman_curvature(adjacency, edges), forman.G, "formanCurvature")
    differences = [
        np.abs(values - [graph[x][y][name] for x, y in edges.tolist()]).max() for values, graph, name in pairs
    ]
    ratio = median(ours) / median(theirs)
    print(f"{len(edges)} edges: {median(ours):.2f} s, GraphRicciCurvature {median(theirs):.2f} s, ratio {ratio:.2f}")
    keep("Ollivier-Ricci curvature, 400 points", "GraphRicciCurvature", ratio, RATIO)
    print(f"largest difference: Ollivier {differences[0]:.1e}, Forman {differences[1]:.1e}")
    sys.exit(bool(ratio > RATIO or max(differences) > DIFFERENCE))


if __name__ == "__main__":
    main()
