"""Tables of the hyperbolicity diagnostic that show and do not decide: other statistics, metrics and spaces."""

from __future__ import annotations

from geoprobe.diagnostics.hyperbolicity.treelikeness import TreeLikeness
from geoprobe.results import Table

__all__ = ["other_tables"]

SPACES = {"E": "flat", "H": "hyperbolic", "S": "spherical"}


def other_tables(tree: TreeLikeness | None) -> tuple[Table, ...]:
    """The same tokens by T and under other metrics, and in flat and curved spaces; none where nothing was tested."""
    if tree is None:
        return ()
    return (
        Table(
            "others",
            "The same by T and under other metrics",
            ("tokens", "metric", "statistic", "observed", "null mean", "z", "p"),
            tuple((o.subject, o.metric, o.statistic, o.observed, o.null_mean, o.z, o.pvalue) for o in tree.others),
            "T is E[d1 - d2]/E[d1 - d3], a ratio of means where Holland's index is a mean of ratios. Angles are about "
            "the origin, as cosine similarity sees the embedding; paths run along nearest neighbours. Each beside "
            "draws that keep covariance and norms, p not corrected: shown, not decided on.",
        ),
        Table(
            "fits",
            "Embedded in few dimensions",
            ("tokens", "space", "points", "curvature", "stress", "saved", "saved by the null", "z", "p"),
            tuple(
                (
                    fit.subject,
                    f"{SPACES.get(fit.space, fit.space)} {fit.space}{fit.dimension}",
                    fit.n_points,
                    fit.curvature,
                    fit.stress,
                    fit.gain,
                    fit.null_gain,
                    fit.z,
                    fit.pvalue,
                )
                for fit in tree.fits
            ),
            "Kruskal's stress of the best embedding found, and the share of the flat one's that curvature saves. A "
            "hyperbolic space has more room at every radius, so it fits any cloud of many dimensions better: only "
            "what it saves beyond the null's draws (covariance and norms kept) says anything. Curvature is for the "
            "largest distance 1.",
        ),
    )
