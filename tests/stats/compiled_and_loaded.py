"""Statistics whose kernels call kernels with sums in any order, as hexadecimal digits on a line of JSON."""

import json

import numpy as np

from geoprobe.stats import nulls
from geoprobe.stats.correlation import spearman
from geoprobe.stats.hyperbolicity import delta_basepoint_batch, delta_plot, euclidean_distances, four_point_batch
from geoprobe.stats.rows import row_statistics

rng = np.random.default_rng(0)
points = rng.standard_normal((70, 37)).astype(np.float32)
distances = euclidean_distances(points)
every = delta_plot(distances[:40, :40])
sampled = delta_plot(distances, samples=2000, rng=np.random.default_rng(1))
batch = four_point_batch([points[:9], points[:33]])
turned = nulls.row_rotation(points[:20], np.random.default_rng(2), keep_norms=True)
results = {
    "four points": [
        x for plot in (every, sampled) for x in (plot.mean, plot.standard_error, plot.ratio_standard_error)
    ],
    "batch": [*batch.mean, *batch.ratio, *delta_basepoint_batch([points[:9]]).delta],
    "rotation": turned.ravel().tolist(),
    "rows": row_statistics(lambda start, stop: points[start:stop], points.shape).norms.tolist(),
    "ranks": [spearman(points[:, 0], points[:, 1]).value],
}
print(json.dumps({name: [float(value).hex() for value in values] for name, values in results.items()}))  # noqa: T201
