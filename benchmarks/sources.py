"""Time to open a model beside transformers' own loading of the same file.

Run: ``python benchmarks/sources.py`` (needs torch, for the peer). Each figure is of a whole process unless it says
otherwise. The bars: SmolLM2's GGUF file to its embedding, every row in float32, and its tokenizer, in at most a third
of the time that `AutoModelForCausalLM` and `AutoTokenizer` take with ``gguf_file=``, in the same run; and at most 1 s
in a running process once the file is in the page cache.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from table import keep

from geoprobe.sources.models.demo import demo_model

RUNS = 3
BAR_RATIO, BAR_SECONDS = 1 / 3, 1.0
OURS = """
import sys
from geoprobe.sources.models.loading import open_model
loaded = open_model(sys.argv[1])
table = loaded.table()
rows = sum(len(block) for _, block in table.blocks())
assert rows == 49152 and len(loaded.tokenizer.encode(["one two"])[0]) == 2
"""
WITHIN = """
import sys, time
import geoprobe.sources.models.loading as models
start = time.perf_counter()
loaded = models.open_model(sys.argv[1])
for _ in loaded.table().blocks():
    pass
print(time.perf_counter() - start)
"""
THEIRS = """
import sys
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoTokenizer
path = Path(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name)
tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
assert model.get_input_embeddings().weight.shape[0] == 49152
"""


def seconds(code: str, path: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=True,
        capture_output=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    return time.perf_counter() - start


def main() -> None:
    path = demo_model()
    pairs = []
    for _ in range(RUNS):
        forget(path)
        ours = seconds(OURS, path)
        forget(path)
        pairs.append((ours, seconds(THEIRS, path)))
    ratio = median(ours / theirs for ours, theirs in pairs)
    inside = median(
        float(subprocess.run([sys.executable, "-c", WITHIN, str(path)], check=True, capture_output=True).stdout)
        for _ in range(RUNS)
    )
    ours, theirs = (median(pair[which] for pair in pairs) for which in (0, 1))
    print(f"cold: {ours:.2f} s beside transformers' {theirs:.2f} s: {ratio:.3f} x (bar {BAR_RATIO:.3f})")
    keep("opening the demo and its embedding, cold", "transformers", ratio, BAR_RATIO)
    print(f"in a running process, file cached: {inside:.2f} s (bar {BAR_SECONDS:.0f} s)")


def forget(path: Path) -> None:
    """Ask the system to drop a file from its page cache."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
