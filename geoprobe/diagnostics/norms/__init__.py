"""Norms against frequency: result, analyzer, verdict and their parts."""
