"""The pass over an embedding of Llama-3's shape (128,256 x 4,096, bfloat16, 1.05 GB) beside reading the same file.

Run: ``python benchmarks/norms.py [--folder DIR]``; the folder gets the file and loses it again. The pass gives norms,
which rows are finite and which are zero, and the mean; a second one gives products with four directions, for distances
from centres and the direction of unused rows. Reading is `readinto` a buffer of 16 MB, over and over, the quickest of
three block sizes. All of it runs with the file in the page cache, ours and theirs in turn; ratios are medians over
turns. Exits with 1 where a bar is missed.
"""

import argparse
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from bfloat16 import write_table
from table import keep

from geoprobe.data import EmbeddingTable, ModelSource, native_reader
from geoprobe.sources.models.safetensors import SafetensorsRows
from geoprobe.sources.models.safetensors_header import read_header
from geoprobe.stats.rows import project

ROWS, WIDTH = 128_256, 4_096
RATIO, MEGABYTES = 1.5, 600
TURNS = 7


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", default=None)
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as folder:
        path = write_table(Path(folder) / "model.safetensors", "embed", ROWS, WIDTH)
        table = opened(path)
        _ = opened(path, rows=8).row_statistics  # compiles
        project_four(opened(path, rows=8))
        passes, second = [], []
        before = anonymous_megabytes()
        with Peak() as peak:
            for _ in range(TURNS):
                read = min(seconds(lambda size=size: read_through(path, size)) for size in (1 << 20, 1 << 22, 1 << 24))
                fresh = opened(path)
                passes.append(seconds(lambda table=fresh: table.row_statistics) / read)
                second.append(seconds(lambda: project_four(table)) / read)
        ratio, memory = median(passes), peak.megabytes - before
        print(f"reading the file: {read:.3f} s in the last turn")
        print(f"norms, finite, zero, mean: {ratio:.2f} x reading the file (bar {RATIO})")
        keep("norms and mean of all rows", "reading the file", ratio, RATIO)
        print(f"products with four directions: {median(second):.2f} x reading the file")
        print(
            f"anonymous memory: {memory:.0f} MB more than before (bar {MEGABYTES} MB), {peak.megabytes:.0f} MB in all"
        )
        check(table)
    sys.exit(ratio > RATIO or peak.megabytes > MEGABYTES)


def opened(path: Path, rows: int = ROWS) -> EmbeddingTable:
    mapped = SafetensorsRows(path, read_header(path)["embed"])
    if rows < ROWS:
        entry = replace(mapped.entry, shape=(rows, WIDTH), stop=mapped.entry.start + rows * WIDTH * 2)
        mapped = SafetensorsRows(path, entry)
    source = ModelSource("m", "M", "llama", str(path), "embed", "BF16", "0")
    return EmbeddingTable(mapped, ("",) * rows, np.zeros(rows, dtype=np.bool_), source)


def project_four(table: EmbeddingTable) -> None:
    project(native_reader(table.vectors), table.vectors.shape, np.ones((4, WIDTH)))


def read_through(path: Path, size: int) -> None:
    buffer = bytearray(size)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def check(table: EmbeddingTable) -> None:
    """The first and the last rows against numpy."""
    for start in (0, ROWS - 100):
        rows = table.vectors.read(start, start + 100).astype(np.float64)
        np.testing.assert_allclose(
            table.row_statistics.norms[start : start + 100], np.linalg.norm(rows, axis=1), rtol=1e-12
        )


class Peak:
    """Largest anonymous memory of this process while inside."""

    def __enter__(self) -> "Peak":
        self.megabytes, self._left = 0.0, threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self._watcher.start()
        return self

    def _watch(self) -> None:
        while not self._left.wait(0.002):
            self.megabytes = max(self.megabytes, anonymous_megabytes())

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._watcher.join()


def anonymous_megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def seconds(call: object) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
