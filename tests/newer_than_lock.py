"""Print what is installed in another version than the lock's; exit with 0 if anything is.

``python tests/newer_than_lock.py CONSTRAINTS``
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement


def main() -> None:
    newer = []
    for line in Path(sys.argv[1]).read_text("utf-8").splitlines():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            newer.append(f"{line.partition(';')[0].strip()} is {installed} here")
    print("\n".join(newer) or "Every version is the lock's.")  # noqa: T201
    raise SystemExit(not newer)


if __name__ == "__main__":
    main()
