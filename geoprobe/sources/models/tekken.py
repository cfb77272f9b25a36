"""Mistral's Tekken vocabularies (`tekken.json`): tokens as bytes in the order in which they are merged."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from geoprobe.sources.models.byte_alphabet import to_byte_level
from geoprobe.sources.models.vocabulary import check_lengths

#: Rows kept for special tokens before the others, where a file does not say.
_SPECIAL = 1000


def tekken_backend(described: Mapping[str, Any]) -> Any:
    """A tokenizer of `tokenizers` from the content of a `tekken.json`.

    Its first rows are the special tokens', and a text's pieces are whole tokens where there are such.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    config = described["config"]
    special = int(config.get("default_num_special_tokens", _SPECIAL))
    tokens = [base64.b64decode(entry["token_bytes"]) for entry in described["vocab"]]
    tokens = tokens[: int(config["default_vocab_size"]) - special]
    check_lengths(tokens)
    ranks = {to_byte_level(token): rank for rank, token in enumerate(tokens)}
    merges = sorted(
        (rank, ranks[token[:cut]], ranks[token[cut:]], token[:cut], token[cut:])
        for token, rank in ranks.items()
        for cut in range(1, len(token))
        if token[:cut] in ranks and token[cut:] in ranks
    )
    named = {entry["rank"]: entry["token_str"] for entry in described.get("special_tokens") or ()}
    names = [named.get(row, f"<SPECIAL_{row}>") for row in range(special)]
    vocabulary = {name: row for row, name in enumerate(names)}
    vocabulary |= {token: special + rank for token, rank in ranks.items()}
    pairs = [(left, right) for *_, left, right in merges]
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=True))
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(config["pattern"]), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in names])
    return backend
