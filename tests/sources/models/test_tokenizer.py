import json
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import word_tokenizer

from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.sources.models.tokenizer import Tokenizer, load_tokenizer


def byte_level(tmp_path: Path) -> Tokenizer:
    """A byte-level BPE trained here, with every byte in its alphabet."""
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers, trainers

    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|end|>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(["the cat sat on the mat, größer und größer 日本"] * 30, trainer)
    backend.save(str(tmp_path / "tokenizer.json"))
    return load_tokenizer(tmp_path)


def test_texts_of_the_tokens_put_together_are_the_text(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    texts = tokenizer.texts(tokenizer.size)
    text = "the cat größer mat"
    assert "".join(texts[row] for row in tokenizer.encode([text])[0]) == text


def test_every_single_byte_has_its_text(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    texts = tokenizer.texts(tokenizer.size)
    for byte in range(256):
        row = tokenizer.backend.encode(bytes([byte]).decode("latin-1")).ids[-1]
        assert texts[row]
    assert r"\xe6" in texts  # the first byte of 日 by itself
    assert " the" in texts


def test_special_tokens_are_marked_and_kept_as_they_are(tmp_path: Path) -> None:
    tokenizer = byte_level(tmp_path)
    texts, special = tokenizer.texts(tokenizer.size), tokenizer.special(tokenizer.size)
    assert [texts[row] for row in np.flatnonzero(special)] == ["<|end|>"]


def test_rows_without_a_token_are_empty(tmp_path: Path) -> None:
    tokenizer = Tokenizer(word_tokenizer(["a", "b"]))
    assert tokenizer.texts(5) == ("<unk>", "a", "b", "", "")
    assert tokenizer.texts(2) == ("<unk>", "a")
    assert tokenizer.size == 3


def test_a_saved_truncation_and_padding_are_switched_off(tmp_path: Path) -> None:
    backend = word_tokenizer(["a"])
    backend.enable_truncation(2)  # type: ignore[attr-defined]
    backend.enable_padding(length=4)  # type: ignore[attr-defined]
    backend.save(str(tmp_path / "tokenizer.json"))  # type: ignore[attr-defined]
    ids = load_tokenizer(tmp_path).encode(["a a a a a", "a"])
    assert [len(one) for one in ids] == [5, 1]


def test_metaspace_is_a_space() -> None:
    assert Tokenizer(word_tokenizer(["\u2581the", "<0xE2>"])).texts(3)[1:] == (" the", "<0xE2>")


@pytest.mark.parametrize("decoder", ["Sequence", None])
def test_byte_level_tokens_are_text_whatever_says_that_they_are(decoder: str | None) -> None:
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers

    backend = Backend(models.BPE(vocab={"\u0120the": 0, "\u00e6": 1}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(), pre_tokenizers.ByteLevel()])
    if decoder is not None:
        backend.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Fuse()])
    assert Tokenizer(backend).texts(2) == (" the", r"\xe6")


@pytest.mark.parametrize("words", [["the", "model", "cat"], {"the": 0, "model": 1, "cat": 2}])
def test_a_list_of_words_may_have_the_word_model(tmp_path: Path, words: object) -> None:
    (tmp_path / "words.json").write_text(json.dumps(words))
    tokenizer = load_tokenizer(tmp_path / "words.json")
    assert tokenizer.texts(3) == ("the", "model", "cat")


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path: Path) -> None:
    for name, text in {"words.txt": "the\ncat\n", "words.json": '["the", "cat"]'}.items():
        (tmp_path / name).write_text(text, encoding="utf-8-sig")
        assert load_tokenizer(tmp_path / name).texts(2) == ("the", "cat")


@pytest.mark.parametrize("name", ["spiece.model", "spm.model", "sentencepiece.bpe.model"])
def test_a_sentencepiece_model_says_what_reads_it(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (tmp_path / name).write_bytes(b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02")
    with pytest.raises(NotFoundError, match=rf"{name} is read by the package `sentencepiece`.*\n.*pip install"):
        load_tokenizer(tmp_path)


def test_a_folder_without_tokenizer_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="has no tokenizer"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[1", '{"model": {"type": "Nope"}}'])
def test_a_file_that_is_no_tokenizer_is_bad_data(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(BadDataError, match="is not a tokenizer"):
        load_tokenizer(tmp_path)


def test_a_folder_with_slow_files_goes_through_transformers(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "##s"]))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    tokenizer = load_tokenizer(tmp_path)
    assert [list(ids) for ids in tokenizer.encode(["the cats"])] == [[5, 6, 7]]
