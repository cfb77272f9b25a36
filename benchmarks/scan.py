"""Time of ``geoprobe scan demo`` as a whole process: the first one, kernels compiled ahead or not, and later ones.

Run: ``python benchmarks/scan.py [--runs N] [--corpus FILE]``. Printed are the median of the later ones beside a bare
read of the same model file (the `gguf` package opens it and dequantises the embedding), and the first one, with an
empty cache of kernels, over the median. The bars are 5 s on two quiet cores, and 1.5 times; a miss is said.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from table import keep

BAR_SECONDS, BAR_FIRST = 5, 1.5
BARE_READ = """
import gguf
from geoprobe.sources.models.demo import demo_model
reader = gguf.GGUFReader(demo_model())
tensor = next(t for t in reader.tensors if t.name == "token_embd.weight")
gguf.dequantize(tensor.data, tensor.tensor_type)
"""


def seconds(command: list[str], cache: Path) -> float:
    start = time.perf_counter()
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def verdict(value: float, bar: float) -> str:
    return f"bar {bar:g}, {'met' if value <= bar else 'missed'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--corpus", action="append", default=[])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        cache = Path(out) / "kernels"
        corpora = [word for corpus in asked.corpus for word in ("--corpus", corpus)]
        scan = [sys.executable, "-m", "geoprobe", "scan", "demo", *corpora, "--out", out, "--quiet"]
        bare = [sys.executable, "-c", BARE_READ]
        first = seconds(scan, cache)
        pairs = [(seconds(scan, cache), seconds(bare, cache)) for _ in range(asked.runs)]
    later = median(pair[0] for pair in pairs)
    ratio = median(mine / theirs for mine, theirs in pairs)
    print(
        f"geoprobe scan demo: {later:.1f} s ({verdict(later, BAR_SECONDS)}), {ratio:.1f} x a bare read of the embedding"
    )
    factor = first / later
    print(f"the first one, by an empty cache of kernels: {first:.1f} s, {factor:.1f} x ({verdict(factor, BAR_FIRST)})")
    keep("the first `geoprobe scan demo`, with an empty cache of kernels", "a later one", factor, BAR_FIRST)


if __name__ == "__main__":
    main()
