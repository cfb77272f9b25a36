"""How a scan's cost grows with the table's rows and columns, the prompts tested and the text: a table with exponents.

Run: ``python benchmarks/scaling.py [--largest] [--only NAME]``. Models are tables of bfloat16 with random directions
and spread norms, texts are of Zipf's law, both made here. Every line is a process of its own: its seconds of CPU, which
other work disturbs less than the clock, and its peak of anonymous memory. The exponent of a doubling is the base-2
logarithm of the factor, once what the smallest scan of all takes is taken off; one above 1 would grow faster than its
cause.
With --largest also 262,144 × 8,192 (4.3 GB of disk), a gigabyte of text and ten (ten of disk, and half an hour).
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bfloat16 import write_table
from tokenizers import Tokenizer, models, pre_tokenizers

ROWS, COLUMNS, PROMPTS, MEGABYTES = 32_768, 512, 150, 4


@dataclass(frozen=True)
class Size:
    """What a scan is of; prompts are of the diagnostic that tests them."""

    rows: int = ROWS
    columns: int = COLUMNS
    prompts: int = PROMPTS
    megabytes: int = MEGABYTES


def make_model(folder: Path, rows: int, columns: int) -> None:
    folder.mkdir()
    words = {"<unk>": 0} | {f"w{number}": number for number in range(1, rows)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": rows}))
    write_table(folder / "model.safetensors", "model.embed_tokens.weight", rows, columns, spread=0.2)


def make_text(path: Path, megabytes: int, rows: int) -> None:
    """Paragraphs of fifty words by Zipf's law."""
    rng = np.random.default_rng(1)
    words = np.array([f"w{number}" for number in range(1, rows)])
    shares = 1 / np.arange(1, rows) ** 1.1
    cumulated = np.cumsum(shares) / shares.sum()
    with path.open("w") as file:
        while file.tell() < megabytes * 1_000_000:
            drawn = words[np.searchsorted(cumulated, rng.random(100_000))]
            file.write("".join(" ".join(line) + "\n\n" for line in drawn.reshape(-1, 50)))


def cost(command: list[str]) -> tuple[float, float]:
    """Seconds of CPU, and megabytes of anonymous memory at the peak."""
    before = os.times()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        time.sleep(0.02)
        found = re.search(r"RssAnon:\s+(\d+)", status.read_text() if status.exists() else "")
        peak = max(peak, int(found[1]) if found else 0)
    if process.returncode:
        raise SystemExit(process.stderr.read().decode() if process.stderr else f"{command} failed")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used, peak / 1000


def series(largest: bool) -> Iterator[tuple[str, list[Size]]]:
    yield "rows", [Size(rows=rows) for rows in (32_768, 65_536, 131_072, 262_144)]
    yield "columns", [Size(columns=columns) for columns in (1_024, 2_048, 4_096, 8_192)]
    yield "prompts", [Size(prompts=prompts) for prompts in (150, 300, 600, 1_200)]
    yield "megabytes", [Size(megabytes=size) for size in (16, 32, 64, 128)]
    if largest:
        yield "largest", [Size(rows=262_144, columns=8_192), Size(megabytes=1_000), Size(megabytes=10_000)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", action="store_true")
    parser.add_argument("--only", help="rows, columns, prompts, megabytes or largest")
    asked = parser.parse_args()
    print("| rows | columns | prompts | MB of text | CPU seconds | exponent | MB of memory |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as temporary:

        def measured(size: Size) -> tuple[float, float]:
            folder, text = Path(temporary, "model"), Path(temporary, "text.txt")
            make_model(folder, size.rows, size.columns)
            make_text(text, size.megabytes, size.rows)
            scan = [sys.executable, "-m", "geoprobe", "scan", str(folder), "--corpus", str(text), "--format", "json"]
            scan += ["--out", str(Path(temporary, "report")), "--quiet"]
            for analyzer in ("frequency", "norms", f"hyperbolicity:prompts={size.prompts}"):
                scan += ["--analyzer", analyzer]
            try:
                return cost(scan)
            finally:
                for path in (*folder.iterdir(), text):
                    path.unlink()
                folder.rmdir()

        measured(Size(rows=1_024, columns=64, megabytes=1))  # compiles the kernels
        least, memory = measured(Size(rows=1_024, columns=64, megabytes=1))
        print(f"| 1,024 | 64 | {PROMPTS} | 1 | {least:.1f} | | {memory:,.0f} |")
        for name, sizes in series(asked.largest):
            if asked.only not in (None, name):
                continue
            before = math.nan
            for size in sizes:
                seconds, memory = measured(size)
                grown = math.log2((seconds - least) / (before - least)) if name != "largest" else math.nan
                exponent = "" if math.isnan(grown) else f"{grown:.2f}"
                print(
                    f"| {size.rows:,} | {size.columns:,} | {size.prompts:,} | {size.megabytes:,} | {seconds:.1f} "
                    f"| {exponent} | {memory:,.0f} |",
                    flush=True,
                )
                before = seconds


if __name__ == "__main__":
    main()
