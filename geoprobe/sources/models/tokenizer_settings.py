"""What stands beside a tokenizer and changes it: added tokens and settings in a model's other tokenizer files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from geoprobe.errors import some_of
from geoprobe.sources.models.checkpoint import read_json

_CONFIG = "tokenizer_config.json"
#: Settings under which special tokens are named.
_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_MORE = ("additional_special_tokens", "extra_special_tokens")
#: Settings of BERT's normalizer, by their names in `tokenizers`.
_BERT = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
#: What an added token is described by.
_FLAGS = ("lstrip", "rstrip", "single_word", "normalized", "special")


def with_settings(backend: Any, folder: Path) -> tuple[Any, tuple[str, ...]]:
    """A tokenizer of a folder with the added tokens and settings of its other files, as transformers puts them in.

    Notes say what was added.
    """
    config = read_json(folder / _CONFIG)
    backend = _with_flags(backend, config)
    stated = _stated_tokens(folder, config)
    known = {row: _described(token) for row, token in backend.get_added_tokens_decoder().items()}
    added, elsewhere = [], []
    for row, token in sorted(stated.items()):
        if known.get(row) == _described(token):
            continue
        there = backend.token_to_id(token.content)
        if there is None and row != _next_row(backend):
            elsewhere.append(token.content)  # the row that it would be given is not its own
            continue
        backend.add_tokens([token])
        added += [token.content] if there is None else []
    have = {token.content for token in backend.get_added_tokens_decoder().values()}
    for token in _named_tokens(config):
        if token.content not in have:
            added += [token.content] if backend.token_to_id(token.content) is None else []
            backend.add_tokens([token])
            have.add(token.content)
    notes = []
    if added:
        notes.append(
            f"Tokens that stand outside the tokenizer's own file, added from files beside it: {_listed(added)}."
        )
    if elsewhere:
        notes.append(f"Tokens left out, as the rows stated for them are beyond a gap: {_listed(elsewhere)}.")
    return backend, tuple(notes)


def without_dropout(backend: Any) -> tuple[str, ...]:
    """Switch off the merges that some tokenizers leave out at random in training, and say so."""
    dropout = getattr(backend.model, "dropout", None)
    if not dropout:
        return ()
    model = backend.model
    model.dropout = None
    backend.model = model
    return (f"The tokenizer leaves out merges at random (dropout {dropout:.3g}); for counting none is left out.",)


def _with_flags(backend: Any, config: Mapping[str, Any]) -> Any:
    """The settings that transformers lets override those in the tokenizer."""
    from tokenizers import Tokenizer

    bert = {own: config[key] for key, own in _BERT.items() if isinstance(config.get(key), bool)}
    prefix = config.get("add_prefix_space")
    if not bert and not isinstance(prefix, bool):
        return backend
    described = json.loads(backend.to_str())
    before = json.dumps(described)
    steps = described.get("normalizer") or {}
    for step in (steps, *steps.get("normalizers", ())):
        if step.get("type") == "BertNormalizer":
            step |= bert
    splitter = described.get("pre_tokenizer") or {}
    if splitter.get("type") == "ByteLevel" and isinstance(prefix, bool):
        splitter["add_prefix_space"] = prefix
    after = json.dumps(described)
    return backend if after == before else Tokenizer.from_str(after)


def _stated_tokens(folder: Path, config: dict[str, Any]) -> dict[int, Any]:
    """Tokens with the rows stated for them; older files state them apart, and those are then put into `config`."""
    stated = config.get("added_tokens_decoder")
    if isinstance(stated, dict):
        rows = {int(row): _token(token) for row, token in stated.items() if row.isdigit()}
        return {row: token for row, token in rows.items() if token is not None}
    config |= {key: value for key, value in read_json(folder / "special_tokens_map.json").items() if value}
    special = {token.content for token in _named_tokens(config)}
    return {
        row: _token(text, special=text in special, normalized=text not in special)
        for text, row in read_json(folder / "added_tokens.json").items()
        if type(row) is int and text
    }


def _named_tokens(config: Mapping[str, Any]) -> Iterator[Any]:
    values = [config.get(key) for key in _NAMED]
    for key in _MORE:
        more = config.get(key)
        values += more.values() if isinstance(more, dict) else more if isinstance(more, list) else ()
    for value in values:
        token = _token(value, special=True)
        if token is not None:
            yield token


def _token(value: Any, **flags: bool) -> Any:
    """An added token of a string or of its description; None for what is none."""
    from tokenizers import AddedToken

    if isinstance(value, str) and value:
        return AddedToken(value, **flags)
    if isinstance(value, dict) and isinstance(value.get("content"), str) and value["content"]:
        own = {flag: value[flag] for flag in _FLAGS if isinstance(value.get(flag), bool)}
        return AddedToken(value["content"], **(own | flags))
    return None


def _described(token: Any) -> tuple[object, ...]:
    return (token.content, *(getattr(token, flag) for flag in _FLAGS))


def _next_row(backend: Any) -> int:
    """The row that the next token is given."""
    size = int(backend.get_vocab_size(with_added_tokens=False))
    return max(size, max(backend.get_added_tokens_decoder(), default=-1) + 1)


def _listed(tokens: list[str]) -> str:
    return f"{len(tokens):,} ({some_of(tokens, 5)})"
