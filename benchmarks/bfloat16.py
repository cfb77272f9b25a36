"""A table of random directions in bfloat16, of any size, written block by block."""

import json
from pathlib import Path

import numpy as np


def write_table(path: Path, name: str, rows: int, columns: int, *, spread: float = 0.0) -> Path:
    """A safetensors file of one matrix, its rows' norms log-normal with this spread about the same."""
    entry = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [0, 2 * rows * columns]}
    header = json.dumps({name: entry}).encode()
    header += b" " * (-len(header) % 8)
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for start in range(0, rows, 2048):
            block = rng.standard_normal((min(2048, rows - start), columns), np.float32)
            block *= np.exp(spread * rng.standard_normal((len(block), 1), np.float32))
            file.write((block.view(np.uint32) >> np.uint32(16)).astype("<u2").tobytes())
    return path
