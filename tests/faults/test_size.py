"""What outgrows memory is read in little of it: a table of 4.3 GB, a corpus of 10 million documents."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from builders import PATHS, WATCH_MEMORY, WORDS, make_model, word_tokenizer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc"),
]

ROWS, WIDTH = 262_144, 8_192
#: Run a command in this process, and print the most anonymous memory it held, in MB.
MEASURED = f"""{WATCH_MEMORY}from geoprobe.cli import main
try:
    main(sys.argv[1:])
except SystemExit as left:
    assert not left.code, left.code
print(peak / 1000)
"""


def peak_of(*arguments: str | Path, documents: Iterator[bytes] | None = None) -> float:
    """Most memory of its own that a command took, in MB."""
    running = subprocess.Popen(
        [sys.executable, "-c", MEASURED, *map(str, arguments)],
        env=os.environ | PATHS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert running.stdin is not None
    for block in documents or ():
        running.stdin.write(block)
    said, _ = running.communicate()
    assert running.returncode == 0
    return float(said)


def test_a_table_of_4_gb_is_scanned_within_1_gb(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    words = [*WORDS, *(f"word{number}" for number in range(ROWS - 1 - len(WORDS)))]
    (folder / "tokenizer.json").write_text(word_tokenizer(words).to_str())  # type: ignore[attr-defined]
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": ROWS}))
    entry = {"dtype": "BF16", "shape": [ROWS, WIDTH], "data_offsets": [0, ROWS * WIDTH * 2]}
    header = json.dumps({"model.embed_tokens.weight": entry}).encode()
    noise = np.random.default_rng(0).standard_normal((4096, WIDTH)).astype(np.float32)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.write((noise.view(np.uint32) >> 16).astype("<u2").tobytes())
        file.truncate(8 + len(header) + ROWS * WIDTH * 2)  # the rest are zeros that take no disk
    texts = " ".join(np.random.default_rng(1).choice(words[:4000], 40_000)).replace(" the ", "\n\n")
    (tmp_path / "a.txt").write_text(texts)
    peak = peak_of("scan", folder, "--corpus", tmp_path / "a.txt", "--out", tmp_path / "out", "-q")
    assert peak <= 1000
    assert json.loads((tmp_path / "out" / "scan.json").read_text())["model"]["rows"] == ROWS


def test_10_million_documents_are_counted_in_the_memory_of_2_million(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "tiny")
    peaks = {}
    for number in (2_000_000, 10_000_000):  # both more than is kept for resampling
        block = b"the of and to\n\nin a is that word1 word2\n\n" * 5000
        out = tmp_path / f"{number}.parquet"
        documents = (block for _ in range(number // 10_000))
        peaks[number] = peak_of("count", folder, "--corpus", "-", "--out", out, "-q", documents=documents)
        from geoprobe.sources.counts_file import read_counts

        assert read_counts(out).corpora[0].n_documents == number
    assert peaks[10_000_000] < peaks[2_000_000] + 30, peaks
