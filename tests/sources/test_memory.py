"""Resident memory of a scan of a large table, beyond the pages that are only a copy of the file."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import WATCH_MEMORY, word_tokenizer
from hub_server import Hub, Repeated, serve

from geoprobe.sources.corpora import open_corpus

ROWS, WIDTH, LIMIT = 128_256, 4_096, 600
SCAN = f"""{WATCH_MEMORY}import geoprobe
report = geoprobe.scan(sys.argv[1])
assert report.model.rows == 128_256
assert all(result.verdict.label != "inconclusive" for result in report.results.values())
print(peak / 1000)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("where", ["local", "remote"])
def test_a_scan_of_llama_3_8bs_table_stays_below_600_mb(tmp_path: Path, where: str) -> None:
    # a vocabulary of the corpus's own words, so that every diagnostic has something to do
    texts = open_corpus("python-docs", field=None).documents()
    seen = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text)})
    words = [*seen, *(f"word{number}" for number in range(ROWS - 1 - len(seen)))]
    entry = {"dtype": "BF16", "shape": [ROWS, WIDTH], "data_offsets": [0, ROWS * WIDTH * 2]}
    header = json.dumps({"model.embed_tokens.weight": entry}).encode()
    noise = np.random.default_rng(0).standard_normal((4096, WIDTH)).astype(np.float32)
    block = (noise.view(np.uint32) >> 16).astype("<u2").tobytes()
    head = len(header).to_bytes(8, "little") + header
    files: dict[str, bytes | Repeated] = {
        "config.json": json.dumps({"model_type": "llama", "vocab_size": ROWS}).encode(),
        "tokenizer.json": word_tokenizer(words).to_str().encode(),  # type: ignore[attr-defined]
        "model.safetensors": Repeated(head, block, len(head) + ROWS * WIDTH * 2),
    }
    if where == "local":
        for name, content in files.items():
            with (tmp_path / name).open("wb") as file:
                file.writelines(content[start : start + len(block)] for start in range(0, len(content), len(block)))
        peak = peak_of(str(tmp_path))
    else:
        with serve(Hub(files)) as hub:
            peak = peak_of("team/model", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "home"), HF_HUB_DISABLE_XET="1")
    assert peak <= LIMIT


def peak_of(model: str, **environment: str) -> float:
    """Most anonymous memory that a scan in a process of its own held, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", SCAN, model], capture_output=True, text=True, env=os.environ | environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)
