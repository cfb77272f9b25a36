"""Tokens that stand together in texts, and tokens of equal frequency that do not."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from geoprobe.data import ScanInputs
from geoprobe.stats.nulls.tokens import token_classes

EQUALLY_FREQUENT = "tokens of equal frequency, each in the place of one of the text's"


def text_samples(
    inputs: ScanInputs, rows: Int64[np.ndarray, " u"], size: int, count: int, rng: np.random.Generator
) -> list[Int64[np.ndarray, " n"]]:
    """Samples of one size: different usable tokens of texts read on until there are so many.

    The texts of one sample are in no other; where they are too few for `count` samples of `size`, samples are smaller.
    """
    usable = np.zeros(inputs.embedding.size, dtype=np.bool_)
    usable[rows] = True
    texts = [ids for corpus in inputs.prompts for ids in corpus.ids]
    order = rng.permutation(len(texts)).tolist()
    samples = []
    for start in range(count):
        found: dict[int, None] = {}
        for text in order[start::count]:
            found.update(dict.fromkeys(texts[text][usable[texts[text]]].tolist()))
            if len(found) >= size:
                break
        samples.append(np.array(list(found), dtype=np.int64)[:size])
    common = min(map(len, samples), default=0)
    return [each[:common] for each in samples] if common else []


def equally_frequent(
    inputs: ScanInputs,
    rows: Int64[np.ndarray, " u"],
    samples: list[Int64[np.ndarray, " n"]],
    rng: np.random.Generator,
) -> list[Int64[np.ndarray, " n"]]:
    """Each sample with other usable tokens of the same class of occurrences, a doubling wide."""
    excluded = np.ones(inputs.embedding.size, dtype=np.bool_)
    excluded[rows] = False
    classes = token_classes(inputs.counts, excluded=excluded)
    return [classes.match(each, rng) for each in samples]
