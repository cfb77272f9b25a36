"""Whether a change of shape changed what geoprobe writes: the same bytes from a revision and from this checkout.

``python tests/identity.py REVISION [--data DATASETS] [--reference FOLDER]`` scans the demo over GSM8K and MAWPS,
compares it with the kept reports and draws the kept experiment again, by both; it prints what differs, JSON by path,
and exits with 1 if anything does. `--reference` keeps the revision's files, for the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FORMATS = "json,md,html,pdf"
KEPT = [ROOT / "reports" / name / "scan.json" for name in ("wordllama-256", "all-minilm-l6-v2")]
EXPERIMENT = ROOT / "reports" / "finetune-small" / "finetune.json"


def produce(tree: Path, out: Path, data: Path) -> None:
    """Write what is compared, by the package in `tree`; it scans twice, as kernels just compiled sum otherwise."""
    corpora = [word for name in ("gsm8k", "mawps") for word in ("--corpus", str(data / name / "test.json"))]
    scan = ["scan", "demo", "--seed", "1", *corpora, "--out", str(out / "scan")]
    for formats in ("json", FORMATS):
        geoprobe(tree, *scan, "--format", formats)
    geoprobe(tree, "compare", str(out / "scan" / "scan.json"), *map(str, KEPT), "--out", str(out), "--format", FORMATS)
    geoprobe(tree, "report", str(EXPERIMENT), "--out", str(out / "finetune"), "--format", FORMATS)


def geoprobe(tree: Path, *words: str) -> None:
    """Run the command line of the package in `tree`."""
    environment = os.environ | {"PYTHONPATH": str(tree), "SOURCE_DATE_EPOCH": "0"}
    subprocess.run([sys.executable, "-m", "geoprobe", *words, "--quiet"], cwd=tree, env=environment, check=True)


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Paths in two JSON values at which they differ, with both values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*before, *(key for key in after if key not in before)):
            missing = "(missing)"
            yield from differences(before.get(key, missing), after.get(key, missing), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, f"{path}[{index}]")
    elif before != after or type(before) is not type(after):
        yield f"{path}: {str(before)[:80]} -> {str(after)[:80]}"


def main() -> None:
    """Compare, print and exit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "datasets")
    parser.add_argument("--reference", type=Path)
    asked = parser.parse_args()
    data = asked.data.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        reference = (asked.reference or Path(scratch) / "reference").resolve()
        if not reference.exists():
            tree = Path(scratch) / "tree"
            archive = subprocess.run(["git", "archive", asked.revision], cwd=ROOT, check=True, capture_output=True)
            tree.mkdir()
            subprocess.run(["tar", "-x"], cwd=tree, input=archive.stdout, check=True)
            produce(tree, reference, data)
        here = Path(scratch) / "here"
        produce(ROOT, here, data)
        failed = compare(reference, here)
    raise SystemExit(failed)


def compare(reference: Path, here: Path) -> bool:
    """Print every file that differs; whether one does."""
    names = sorted({file.relative_to(folder) for folder in (reference, here) for file in folder.rglob("*.*")})
    different = False
    for name in names:
        before, after = ((folder / name) for folder in (reference, here))
        if not (before.is_file() and after.is_file()):
            line = f"{name}: only in {'the revision' if before.is_file() else 'this checkout'}"
        elif before.read_bytes() == after.read_bytes():
            print(f"{name}: the same {before.stat().st_size:,} bytes")  # noqa: T201
            continue
        else:
            line = f"{name}: differs"
            if name.suffix == ".json":
                paths = list(differences(*(json.loads(file.read_bytes()) for file in (before, after))))
                line = "\n  ".join([line, *paths[:40], *([f"and {len(paths) - 40} more"] if len(paths) > 40 else [])])
        different = True
        print(line)  # noqa: T201
    return different


if __name__ == "__main__":
    main()
