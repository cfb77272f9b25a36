"""Resident memory of a scan of a large table, beyond the pages that are only a copy of the file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import WORDS, word_tokenizer

ROWS, WIDTH, LIMIT = 128_256, 4_096, 600
SCAN = """
import sys, threading, time
from pathlib import Path
peak = 0
def watch():
    global peak
    while True:
        status = Path("/proc/self/status").read_text()
        peak = max(peak, int(status.partition("RssAnon:")[2].split()[0]))
        time.sleep(0.01)
threading.Thread(target=watch, daemon=True).start()
import geoprobe
report = geoprobe.scan(sys.argv[1])
assert report.model.rows == 128_256
print(peak / 1000)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_a_scan_of_llama_3_8bs_table_stays_below_600_mb(tmp_path: Path) -> None:
    words = [*WORDS, *(f"word{number}" for number in range(ROWS - 1 - len(WORDS)))]
    word_tokenizer(words).save(str(tmp_path / "tokenizer.json"))  # type: ignore[attr-defined]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": ROWS}))
    size = ROWS * WIDTH * 2
    entry = {"model.embed_tokens.weight": {"dtype": "BF16", "shape": [ROWS, WIDTH], "data_offsets": [0, size]}}
    header = json.dumps(entry).encode()
    noise = np.random.default_rng(0).standard_normal((4096, WIDTH)).astype(np.float32)
    block = (noise.view(np.uint32) >> 16).astype("<u2").tobytes()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for start in range(0, size, len(block)):
            file.write(block[: size - start])
    done = subprocess.run([sys.executable, "-c", SCAN, str(tmp_path)], capture_output=True, text=True, check=True)
    assert float(done.stdout) <= LIMIT
