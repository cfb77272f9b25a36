# mypy: disable-error-code="no-untyped-def"
"""Kernel of the triangle inequality over all triples."""

from geoprobe.stats.hyperbolicity.simd_kernels import fmin
from geoprobe.stats.kernel import kernel


@kernel
def shortest_detour(row, other):
    """Min over y of row[y] + other[y]."""
    detour = row[0] + other[0]
    for y in range(row.shape[0]):
        detour = fmin(detour, row[y] + other[y])
    return detour


@kernel
def worst_triangle(distances, start, stop, witness):
    """Largest excess d(x,z) - min over y of d(x,y) + d(y,z), for x in [start, stop); x and z in ``witness``."""
    worst = distances[0, 0]
    for z in range(stop):
        other = distances[z]
        for x in range(max(start, z + 1), stop):
            excess = distances[x, z] - shortest_detour(distances[x], other)
            if excess > worst:
                worst = excess
                witness[0] = x
                witness[1] = z
    return worst
