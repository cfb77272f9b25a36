"""Versions of what computes an experiment's numbers."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from geoprobe import __version__

__all__ = ["versions"]

_PACKAGES = ("torch", "transformers", "peft", "accelerate", "numpy", "numba", "tokenizers")


def versions() -> dict[str, str]:
    """Of geoprobe, Python and the packages that train, by name."""
    found = {"geoprobe": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # vendored or frozen installs carry no metadata
            found[package] = "unknown"
    return found
