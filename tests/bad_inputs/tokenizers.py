"""Tokenizers that cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_inputs.case import Case, changed_json, circle, pipe

__all__ = ["TOKENIZERS"]

SCAN = "scan tiny --corpus good.txt"
COUNT = "count tiny --corpus good.txt --out c.parquet"


def tokenizer(content: str) -> dict[str, bytes]:
    return {"tiny/tokenizer.json": content.encode()}


def model(**described: object) -> Callable[[Path], object]:
    """Another model in the good tokenizer's file."""

    def change(data: dict[str, Any]) -> None:
        data["added_tokens"] = []
        data["model"] = described

    return changed_json("tiny/tokenizer.json", change)


def normalizer(charsmap: str) -> Callable[[Path], object]:
    """A table of characters that the library takes apart without looking."""
    described = {"type": "Precompiled", "precompiled_charsmap": charsmap}
    return changed_json("tiny/tokenizer.json", lambda data: data.update(normalizer=described))


def without(folder: Path) -> None:
    (folder / "tiny" / "tokenizer.json").unlink()


def slow(name: str, content: bytes, settings: object = None) -> Callable[[Path], object]:
    """Files of a tokenizer that has no tokenizer.json."""

    def make(folder: Path) -> None:
        without(folder)
        (folder / "tiny" / name).write_bytes(content)
        if settings is not None:
            (folder / "tiny" / "tokenizer_config.json").write_text(json.dumps(settings))

    return make


TOKENIZERS: dict[str, Case] = {
    "no tokenizer": Case(SCAN, 3, "has no tokenizer", make=without),
    "no tokenizer at the place given": Case(f"{SCAN} --tokenizer nowhere", 3, "There is no tokenizer at 'nowhere'"),
    "a tokenizer's name too long": Case(f"{SCAN} --tokenizer {'x' * 5000}", 3, "There is no tokenizer at"),
    "a tokenizer that is a pipe": Case(
        f"{SCAN} --tokenizer p.json", 5, "is a pipe, and not a file", make=pipe("p.json")
    ),
    "a tokenizer that is a device": Case(f"{SCAN} --tokenizer /dev/zero", 5, "is a device, and not a file"),
    "a tokenizer that is a link to itself": Case(
        f"{SCAN} --tokenizer p.json", 3, "There is no tokenizer", make=circle("p.json")
    ),
    "a model's tokenizer that is a pipe": Case(SCAN, 3, "has no tokenizer", make=pipe("tiny/tokenizer.json")),
    "words of any length": Case(
        SCAN,
        5,
        "max_input_chars_per_word is of 1,000,000,000",
        make=model(
            type="WordPiece",
            vocab={"[UNK]": 0, "a": 1},
            unk_token="[UNK]",
            continuing_subword_prefix="##",
            max_input_chars_per_word=10**9,
        ),
    ),
    "a text before every letter": Case(
        SCAN,
        5,
        "continuing_subword_prefix is of 100,000",
        make=model(type="BPE", vocab={"a": 0}, merges=[], continuing_subword_prefix="x" * 100_000),
    ),
    "a tokenizer of another kind": Case(f"{SCAN} --tokenizer t.csv", 2, "it is a .csv file", {"t.csv": b"a"}),
    "a tokenizer of no bytes": Case(SCAN, 5, "is not a tokenizer", tokenizer("")),
    "a tokenizer cut short": Case(SCAN, 5, "is not a tokenizer", tokenizer('{"version": "1.0", "model": {"ty')),
    "a tokenizer of no model": Case(SCAN, 5, "is not a tokenizer", tokenizer('{"version": "1.0"}')),
    "a tokenizer of an unknown model": Case(SCAN, 5, "is not a tokenizer", make=model(type="Charm")),
    "a tokenizer nested deep": Case(SCAN, 5, "is not a tokenizer", tokenizer('{"model":' + "[" * 50_000)),
    "a tokenizer without its unknown token": Case(
        SCAN, 5, "cannot encode", make=model(type="WordLevel", vocab={"the": 0}, unk_token="none")
    ),
    "ids without bound": Case(
        COUNT,
        5,
        "larger than any",
        make=model(type="WordLevel", vocab={"the": 0, "of": 4_000_000_000}, unk_token="the"),
    ),
    "a unigram whose unknown token is none": Case(
        SCAN, 5, "tokenizer", make=model(type="Unigram", vocab=[["the", -1.0]], unk_id=99)
    ),
    "a unigram of nothing": Case(SCAN, 5, "tokenizer", make=model(type="Unigram", vocab=[], unk_id=None)),
    "a bpe whose merges are of nothing": Case(
        SCAN, 5, "is not a tokenizer", make=model(type="BPE", vocab={"a": 0}, merges=["x y"])
    ),
    "a normalizer that panics": Case(SCAN, 5, "cannot encode", make=normalizer("AAAAAA==")),
    "a normalizer that panics at once": Case(SCAN, 5, "is not a tokenizer", make=normalizer("AAAA")),
    "a normalizer of a kind that is a list": Case(
        SCAN,
        5,
        "tokenizer",
        make=changed_json("tiny/tokenizer.json", lambda data: data.update(normalizer={"type": []})),
    ),
    "an expression that is a list": Case(
        SCAN,
        5,
        "tokenizer",
        make=changed_json(
            "tiny/tokenizer.json",
            lambda data: data.update(normalizer={"type": "Replace", "pattern": {"Regex": []}, "content": "a"}),
        ),
    ),
    "a splitting without end": Case(
        SCAN.replace("good", "a"),
        5,
        "cannot encode",
        {"a.txt": b"x" * 60},
        make=changed_json(
            "tiny/tokenizer.json",
            lambda data: data.update(
                pre_tokenizer={
                    "type": "Split",
                    "pattern": {"Regex": "(x+x+)+y"},
                    "behavior": "Isolated",
                    "invert": False,
                }
            ),
        ),
    ),
    "words of no tokens": Case(f"{SCAN} --tokenizer w.json", 5, "holds no list of words", {"w.json": b"[]"}),
    "words that are numbers": Case(f"{SCAN} --tokenizer w.json", 5, "holds no list of words", {"w.json": b"[1]"}),
    "words that are not json": Case(f"{SCAN} --tokenizer w.json", 5, "is not a vocabulary", {"w.json": b"["}),
    "words with gaps": Case(f"{SCAN} --tokenizer w.json", 5, "rows are not 0 to", {"w.json": b'{"a": 5}'}),
    "words with rows of two kinds": Case(
        f"{SCAN} --tokenizer w.json", 5, "rows are not 0 to", {"w.json": b'{"a": 0, "b": "x", "c": null}'}
    ),
    "words in latin-1": Case(f"{SCAN} --tokenizer w.txt", 5, "is not a vocabulary", {"w.txt": b"\xfc"}),
    "words in no parquet": Case(f"{SCAN} --tokenizer w.parquet", 5, "is not a vocabulary", {"w.parquet": b"PAR1"}),
    "words in a column of numbers": Case(
        f"{SCAN} --tokenizer good.parquet",
        5,
        "0 columns of text",
    ),
    "slow files that are none": Case(SCAN, 5, "cannot be converted", make=slow("vocab.json", b"{")),
    "sentencepiece that is none": Case(SCAN, 5, "cannot be converted", make=slow("tokenizer.model", b"\0junk" * 9)),
    "sentencepiece cut short": Case(SCAN, 5, "SentencePiece model", make=slow("tokenizer.model", b"\n\x50abc")),
    "sentencepiece given that is none": Case(
        f"{SCAN} --tokenizer t.model", 5, "SentencePiece model", {"t.model": b"\n" + b"\xff" * 40}
    ),
    "tekken of nothing": Case(
        f"{SCAN} --tokenizer t.json", 5, "is not a Tekken tokenizer", {"t.json": b'{"config": {}, "vocab": []}'}
    ),
    "settings beside a tokenizer that are a list": Case(
        SCAN, 5, "tokenizer_config.json holds list", {"tiny/tokenizer_config.json": b"[]"}
    ),
    "added tokens beside a tokenizer that are none": Case(
        SCAN,
        5,
        "contradict each other",
        {"tiny/tokenizer_config.json": '{"added_tokens_decoder": {"²": {"content": "a"}}}'.encode()},
    ),
    "a tokenizer of its own code": Case(
        SCAN,
        5,
        "code of its own, which is never run",
        make=slow("vocab.txt", b"a", {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}),
    ),
    "a tokenizer's configuration that is a list": Case(
        SCAN, 5, "tokenizer_config.json holds list", make=slow("vocab.txt", b"a", [])
    ),
}
