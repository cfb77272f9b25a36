"""Whether a table's rows and a tokenizer's ids are of one model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geoprobe.sources.models.architectures import vocabulary_size
from geoprobe.sources.models.tokenizer import Tokenizer

__all__ = ["alignment_notes"]


def alignment_notes(tokenizer: Tokenizer, tokens: tuple[str, ...], config: Mapping[str, Any]) -> tuple[str, ...]:
    """Say where rows and tokens do not go one to one.

    Parameters
    ----------
    tokenizer : Tokenizer
        The model's.
    tokens : tuple of str
        (V,) text of each row; ``""`` for a row without a token.
    config : mapping
        The model's configuration.

    Returns
    -------
    tuple of str
        A sentence each: rows after the last token (padding), rows before it without one, tokens without a row,
        tokens added to the trained vocabulary, and a configuration that states another number of rows.
    """
    rows, ids, added = len(tokens), tokenizer.size, tokenizer.added
    notes = []
    if ids < rows:
        notes.append(f"The last {rows - ids:,} of {rows:,} rows are padding: the tokenizer has {ids:,} ids.")
    gaps = sum(not token for token in tokens[:ids])
    if gaps:
        notes.append(f"Rows before the last token's that belong to no token: {gaps:,}.")
    if ids > rows:
        homeless = range(rows, ids)
        kind = "all of them added ones" if all(row in added for row in homeless) else "some of the trained vocabulary"
        notes.append(
            f"The tokenizer has {ids:,} ids, the embedding {rows:,} rows: tokens without a row: {ids - rows:,}, {kind}."
        )
    plain = sum(not special for row, special in added.items() if row < rows)
    if plain:
        notes.append(f"Tokens added to the trained vocabulary without being special: {plain:,}.")
    stated = vocabulary_size(config)
    if stated is not None and stated != rows:
        notes.append(f"The configuration states {stated:,} vocabulary entries, the embedding has {rows:,} rows.")
    return tuple(notes)
