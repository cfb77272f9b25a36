"""Tokens and settings that stand beside a tokenizer, against transformers' own loading of the same folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_model, word_tokenizer

from geoprobe.errors import BadDataError
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.tokenizer import load_tokenizer

from .hard_texts import HARD_TEXTS

CHAT = [f"<|im_start|>user {text}<|im_end|> [PAD]" for text in HARD_TEXTS]


def byte_level(folder: Path, *, dropout: float | None = None) -> Path:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(list(HARD_TEXTS) * 20, trainer)
    if dropout is not None:
        backend.model.dropout = dropout
    folder.mkdir(exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    return folder


def bert(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = {part for text in HARD_TEXTS for word in text.split() for part in (word, word.lower())}
    marks = {character for text in HARD_TEXTS for character in text if not character.isspace()}
    listed = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words | marks | {f"##{m}" for m in marks})]
    backend = Tokenizer(models.WordPiece({text: row for row, text in enumerate(listed)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.add_special_tokens(listed[:5])
    folder.mkdir(exist_ok=True)
    backend.save(str(folder / "tokenizer.json"))
    return folder


def described(content: str, **flags: bool) -> dict[str, Any]:
    plain = {"lstrip": False, "rstrip": False, "single_word": False, "normalized": False, "special": True}
    return {"content": content, **plain, **flags}


#: What stands beside the tokenizer: file to content.
BESIDE: dict[str, dict[str, dict[str, Any]]] = {
    "a decoder of added tokens": {
        "tokenizer_config.json": {
            "added_tokens_decoder": {"500": described("<|im_start|>"), "501": described("<|im_end|>", special=False)}
        }
    },
    "added_tokens.json": {"added_tokens.json": {"<|im_start|>": 500, "<|im_end|>": 501}},
    "a map of special tokens": {
        "added_tokens.json": {"<|im_end|>": 500},
        "special_tokens_map.json": {"additional_special_tokens": ["<|im_end|>"], "pad_token": described("[PAD]")},
    },
    "special tokens by name": {"tokenizer_config.json": {"pad_token": "[PAD]", "eos_token": "<|im_end|>"}},
    "a token of the vocabulary that is now special": {"tokenizer_config.json": {"eos_token": "tw"}},
    "a space put first": {"tokenizer_config.json": {"add_prefix_space": True, "tokenizer_class": "GPT2Tokenizer"}},
    "no space put first": {"tokenizer_config.json": {"add_prefix_space": False}},
}


def beside(folder: Path, files: dict[str, dict[str, Any]]) -> Path:
    for name, content in files.items():
        (folder / name).write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"} | content))
    if "tokenizer_config.json" not in files:
        (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    return folder


@pytest.mark.parametrize("name", BESIDE)
def test_tokens_are_those_of_transformers_from_the_same_folder(name: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = beside(byte_level(tmp_path / "m"), BESIDE[name])
    if "added_tokens.json" in BESIDE[name]:  # it has rows, and no class
        (folder / "added_tokens.json").write_text(json.dumps(BESIDE[name]["added_tokens.json"]))
    theirs = AutoTokenizer.from_pretrained(folder)
    ours = load_tokenizer(folder)
    for text, ids in zip(CHAT, ours.encode(CHAT), strict=True):
        assert list(ids) == theirs.encode(text, add_special_tokens=False), text
    special = {row for row, token in theirs.added_tokens_decoder.items() if token.special}
    # transformers 5 forgets the list of further ones in the older files
    assert set(np.flatnonzero(ours.special(ours.size))) - special <= {theirs.convert_tokens_to_ids("<|im_end|>")}
    assert special <= set(np.flatnonzero(ours.special(ours.size)))


@pytest.mark.parametrize("lower", [True, False])
def test_berts_lower_case_is_what_its_settings_say(lower: bool, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": lower, "tokenize_chinese_chars": lower}
    (bert(tmp_path / "m") / "tokenizer_config.json").write_text(json.dumps(settings))
    theirs, ours = AutoTokenizer.from_pretrained(tmp_path / "m"), load_tokenizer(tmp_path / "m")
    differing = 0
    for text, ids in zip(HARD_TEXTS, ours.encode(HARD_TEXTS), strict=True):
        assert list(ids) == theirs.encode(text, add_special_tokens=False), text
        differing += list(ids) != load_tokenizer(bert(tmp_path / "plain")).encode([text])[0].tolist()
    assert (differing > 0) is not lower


def test_a_tokens_row_beyond_a_gap_is_said_and_no_other_row_takes_it(tmp_path: Path) -> None:
    config = {"added_tokens_decoder": {"510": described("<|im_start|>")}}
    folder = beside(byte_level(tmp_path / "m"), {"tokenizer_config.json": config})
    tokenizer = load_tokenizer(folder)
    assert tokenizer.size == 500
    assert tokenizer.notes == ("Tokens left out, as the rows stated for them are beyond a gap: 1 (<|im_start|>).",)


def test_what_was_added_is_in_a_models_notes_and_its_row_has_a_token(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    word_tokenizer([f"w{n}" for n in range(125)]).save(str(folder / "tokenizer.json"))  # type: ignore[attr-defined]
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"added_tokens_decoder": {"126": described("<|im_end|>")}})
    )
    table = open_model(folder).table()
    assert table.tokens[126] == "<|im_end|>"
    assert table.special[126]
    assert "added from files beside it: 1 (<|im_end|>)." in " ".join(table.source.notes)


def test_merges_left_out_at_random_are_not_left_out_in_counting(tmp_path: Path) -> None:
    plain, random = load_tokenizer(byte_level(tmp_path / "a")), load_tokenizer(byte_level(tmp_path / "b", dropout=0.4))
    for ours, theirs in zip(random.encode(HARD_TEXTS * 3), plain.encode(HARD_TEXTS * 3), strict=True):
        assert list(ours) == list(theirs)
    assert random.notes == ("The tokenizer leaves out merges at random (dropout 0.4); for counting none is left out.",)


@pytest.mark.parametrize("content", ["[", "[]"])
def test_a_damaged_file_beside_a_tokenizer_is_said(tmp_path: Path, content: str) -> None:
    (byte_level(tmp_path / "m") / "tokenizer_config.json").write_text(content)
    with pytest.raises(BadDataError, match=r"tokenizer_config\.json"):
        load_tokenizer(tmp_path / "m")
