"""Null models: what a statistic gives on data that share everything but the structure in question."""

from geoprobe.stats.nulls.gaussian import delta_basepoint_gaussian_null, gaussian_points
from geoprobe.stats.nulls.rotations import row_rotation
from geoprobe.stats.nulls.tokens import TokenClasses, token_classes

__all__ = [
    "TokenClasses",
    "delta_basepoint_gaussian_null",
    "gaussian_points",
    "row_rotation",
    "token_classes",
]
