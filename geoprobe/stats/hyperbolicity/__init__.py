"""Gromov hyperbolicity of finite metric spaces: deltas, and four-point statistics that tell trees from clouds."""

from geoprobe.stats.hyperbolicity.basepoint import Delta, delta_basepoint
from geoprobe.stats.hyperbolicity.batches import DeltaBatch, delta_basepoint_batch
from geoprobe.stats.hyperbolicity.curved import polar_distances
from geoprobe.stats.hyperbolicity.embedding import Embedding, embed_in_all
from geoprobe.stats.hyperbolicity.embedding_stress import Stress, stress, stress_of_points
from geoprobe.stats.hyperbolicity.exact import ExactDelta, delta
from geoprobe.stats.hyperbolicity.four_point_batch import FourPointBatch, four_point_batch
from geoprobe.stats.hyperbolicity.holland import DeltaPlot, delta_plot
from geoprobe.stats.hyperbolicity.joining import JoinedTree, neighbour_joining
from geoprobe.stats.hyperbolicity.metrics import angular_distances, euclidean_distances
from geoprobe.stats.hyperbolicity.paths import geodesic_distances, hop_distances

__all__ = [
    "Delta",
    "DeltaBatch",
    "DeltaPlot",
    "Embedding",
    "ExactDelta",
    "FourPointBatch",
    "JoinedTree",
    "Stress",
    "angular_distances",
    "delta",
    "delta_basepoint",
    "delta_basepoint_batch",
    "delta_plot",
    "embed_in_all",
    "euclidean_distances",
    "four_point_batch",
    "geodesic_distances",
    "hop_distances",
    "neighbour_joining",
    "polar_distances",
    "stress",
    "stress_of_points",
]
