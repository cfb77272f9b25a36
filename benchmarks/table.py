"""One table of what the benchmarks found: `keep` takes a line of it, and `make bench` prints them all at the end.

Run: ``BENCH_ROWS=FILE python benchmarks/NAME.py`` for some, then ``python benchmarks/table.py FILE``, which fails where
a bar is missed.
"""

import json
import os
import sys
from pathlib import Path


def keep(work: str, peer: str, ratio: float, bar: float, *, at_least: bool = False) -> None:
    """Keep that `work` took `ratio` times the time or memory of `peer` (or, `at_least`, was as many times as fast)."""
    kept = os.environ.get("BENCH_ROWS")
    if kept:
        found = {"work": work, "peer": peer, "ratio": ratio, "bar": bar, "at_least": at_least}
        with Path(kept).open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")


def main() -> None:
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    print("| work | peer | ratio | bar | |\n|---|---|---:|---:|---|")
    missed = 0
    for found in rows:
        ratio, bar, faster = found["ratio"], found["bar"], found["at_least"]
        met = ratio >= bar if faster else ratio <= bar
        missed += not met
        shown = f"{ratio:.3g} ×{' as fast' if faster else ''}"
        wanted = f"{'at least' if faster else 'at most'} {bar:.3g}"
        print(f"| {found['work']} | {found['peer']} | {shown} | {wanted} | {'met' if met else 'missed'} |")
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()
