"""Inputs of a scan made from vectors and token ids, so that everything about them is known."""

from collections.abc import Sequence

import numpy as np

from geoprobe.data import ArrayRows, Documents, EmbeddingTable, ModelSource, Prompts, ScanInputs, TokenCounts


def scan_inputs(vectors: np.ndarray, documents: Sequence[np.ndarray]) -> ScanInputs:
    """Inputs whose token of row i reads "w<i>", counted over these documents, which are the prompts too."""
    rows = len(vectors)
    ids = np.concatenate(documents)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in documents])])
    table = EmbeddingTable(
        ArrayRows(vectors.astype(np.float32)),
        tuple(f"w{row}" for row in range(rows)),
        np.zeros(rows, dtype=np.bool_),
        ModelSource("made up", "Made up", "unknown", "vectors", "embed", "F32", "0" * 64),
    )
    counts = TokenCounts(
        "made up",
        "0" * 64,
        np.bincount(ids, minlength=rows),
        len(documents),
        Documents(ids.astype(np.int32), starts),
        np.bincount(np.concatenate([np.unique(each) for each in documents]), minlength=rows),
    )
    return ScanInputs(table, (counts,), (Prompts("made up", tuple(each.astype(np.int64) for each in documents)),))


def zipf_documents(
    rows: int, documents: int, length: int, rng: np.random.Generator, *, exponent: float = 1.0
) -> list[np.ndarray]:
    """Documents of independent tokens, the token of row i drawn with a chance of (i + 2.7)^-exponent (Mandelbrot's)."""
    chance = (np.arange(rows) + 2.7) ** -exponent
    return [rng.choice(rows, length, p=chance / chance.sum()) for _ in range(documents)]
