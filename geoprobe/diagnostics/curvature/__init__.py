"""Curvature of the graph of nearest neighbours: result, analyzer, verdict and what is measured of a cloud."""
