"""Versions of what computes the numbers of a scan or an experiment."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from geoprobe import __version__

__all__ = ["versions_of"]


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Of geoprobe, Python and these packages, by name."""
    found = {"geoprobe": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # vendored or frozen installs carry no metadata
            found[package] = "unknown"
    return found
