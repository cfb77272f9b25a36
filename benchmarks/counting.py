"""Counting a corpus: tokens per second beside a bare loop over `tokenizers`, and peak memory against size.

Run: ``python benchmarks/counting.py [--megabytes 10 100 1000]``. The bars: at least 0.8 times the tokens per second of
`encode_batch` (and, beside it, of `encode_batch_fast`), from a JSONL file on disk; and anonymous memory that does not
grow from 10 MB to 1 GB of text. The text is the manual inside CPython, a paragraph a document, each time with its words
in another order so that nothing repeats.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from table import keep

from geoprobe.sources.corpora import open_corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.models.loading import open_tokenizer

RATIO_BAR = 0.8
RATIO_MEGABYTES = 12
RUNS = 5
BARE_BATCH = 1000

#: Counts a file and prints the peak of RssAnon in MB, looked at every 10 ms.
MEASURED = """
import re, sys, threading, time
from pathlib import Path
from geoprobe.sources.corpora import open_corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.models.loading import open_tokenizer

peak = 0
def watch():
    global peak
    while True:
        peak = max(peak, int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))
        time.sleep(0.01)

threading.Thread(target=watch, daemon=True).start()
tokenizer = open_tokenizer("demo")
before = peak
counts, _ = count_tokens(tokenizer, open_corpus(sys.argv[1]), rows=tokenizer.size, max_prompts=1000, seed=0)
print(counts.n_tokens, before // 1024, peak // 1024)
"""


def documents(megabytes: float) -> Iterator[str]:
    """Real paragraphs, their words shuffled from the second round on."""
    paragraphs = [
        paragraph.strip()
        for text in open_corpus("python-docs").documents()
        for paragraph in text.split("\n\n")
        if paragraph.strip()
    ]
    rng, left = random.Random(0), megabytes * 1e6
    while True:
        for number, paragraph in enumerate(paragraphs):
            yield paragraph
            left -= len(paragraph.encode()) + 2
            if left < 0:
                return
            words = paragraph.split(" ")
            rng.shuffle(words)
            paragraphs[number] = " ".join(words)


def write(path: Path, megabytes: float) -> Path:
    with path.open("w") as file:
        for text in documents(megabytes):
            file.write(json.dumps({"text": text}) + "\n" if path.suffix == ".jsonl" else text + "\n\n")
    return path


def throughput(folder: Path) -> None:
    tokenizer = open_tokenizer("demo")
    path, texts = write(folder / "ratio.jsonl", RATIO_MEGABYTES), list(documents(RATIO_MEGABYTES))

    def bare(encode: Callable[..., list[Any]]) -> int:
        return sum(
            len(encoding.ids)
            for start in range(0, len(texts), BARE_BATCH)
            for encoding in encode(texts[start : start + BARE_BATCH], add_special_tokens=False)
        )

    def counted() -> int:
        corpus = open_corpus(str(path))
        return count_tokens(tokenizer, corpus, rows=tokenizer.size, max_prompts=1000, seed=0)[0].n_tokens

    def rate(run: Callable[[], int]) -> float:
        start = time.perf_counter()
        tokens = run()
        return tokens / (time.perf_counter() - start)

    backend = tokenizer.backend
    peers = {name: partial(bare, getattr(backend, name)) for name in ("encode_batch", "encode_batch_fast")}
    assert {run() for run in peers.values()} == {counted()}  # the same tokens; all are warm
    rounds = [(rate(counted), *map(rate, peers.values())) for _ in range(RUNS)]
    print(f"counting: {median(each[0] for each in rounds):,.0f} tokens/s")
    for column, name in enumerate(peers, start=1):
        ratios = sorted(each[0] / each[column] for each in rounds)
        print(f"  {median(ratios):.2f} x a bare {name} loop ({ratios[0]:.2f} to {ratios[-1]:.2f}; bar {RATIO_BAR})")
        keep("counting tokens of texts", f"a bare `{name}` loop", median(ratios), RATIO_BAR, at_least=True)


def memory(folder: Path, sizes: list[float]) -> None:
    for size in sizes:
        path = write(folder / "memory.txt", size)
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, check=True)
        tokens, before, peak = map(int, done.stdout.split())
        print(
            f"{size:,.0f} MB of text: {tokens:,} tokens in {time.perf_counter() - start:.0f} s, "
            f"peak RssAnon {peak} MB ({before} MB before the first document)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, nargs="*", default=[10, 100, 1000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        throughput(Path(folder))
        memory(Path(folder), options.megabytes)


if __name__ == "__main__":
    main()
