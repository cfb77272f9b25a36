"""What is installed: versions of what computes the numbers, and how to get what is missing."""

from __future__ import annotations

from collections.abc import Iterable

__version__ = "0.2.0"

#: The name to install by. `geoprobe`, by which it is imported and run, is another project's on PyPI.
DISTRIBUTION = "geoprobe-lm"


def install_command(extra: str) -> str:
    """The command that installs an extra, as messages show it."""
    return f"pip install '{DISTRIBUTION}[{extra}]' (from a clone: pip install '.[{extra}]')"


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Of geoprobe, Python and these packages, by name."""
    # not above: `import geoprobe` reads this file
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"geoprobe": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # vendored or frozen installs carry no metadata
            found[package] = "unknown"
    return found
