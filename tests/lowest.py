"""Print the oldest version of each of geoprobe's own dependencies that pyproject.toml allows, as pip's constraints."""

import re
import sys
import tomllib
from pathlib import Path


def main() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for each in project["dependencies"]:
        sys.stdout.write(re.sub(r">=", "==", each) + "\n")


if __name__ == "__main__":
    main()
