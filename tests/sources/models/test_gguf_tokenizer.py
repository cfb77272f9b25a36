"""Each kind of tokenizer in GGUF files, against the model's own tokenizer that the file was made from."""

import io
import pydoc_data.topics
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from geoprobe.errors import BadDataError
from geoprobe.sources.models.gguf import open_gguf
from geoprobe.sources.models.gguf_splits import GPT2, RAW, REGULAR, SINGLE_DIGITS, WHOLE_WORDS
from geoprobe.sources.models.gguf_tokenizer import gguf_tokenizer
from geoprobe.sources.models.tokenizer import Tokenizer

from .hard_texts import HARD_TEXTS

DOCUMENTS = tuple(part for text in pydoc_data.topics.topics.values() for part in text.split("\n\n"))


def written(path: Path, kind: str, tokens: list[str], types: list[int], **more: Any) -> Tokenizer:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tokenizer_model(kind)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    for key, value in more.items():
        getattr(writer, f"add_{key}")(value)
    writer.add_tensor("token_embd.weight", np.ones((len(tokens), 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return gguf_tokenizer(open_gguf(path))


@pytest.mark.parametrize("kind", ["llama", "t5"])
@pytest.mark.parametrize("prefix", [True, False])
def test_a_sentencepiece_vocabulary_cuts_as_sentencepiece_does(kind: str, prefix: bool, tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece")
    pytest.importorskip("google.protobuf")
    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*DOCUMENTS[:400], *HARD_TEXTS]),
        model_writer=content,
        vocab_size=1200,
        model_type="bpe" if kind == "llama" else "unigram",
        byte_fallback=kind == "llama",
        normalization_rule_name="identity" if kind == "llama" else "nmt_nfkc",
        remove_extra_whitespaces=kind == "t5",
        add_dummy_prefix=prefix,
        minloglevel=2,
    )
    theirs = sentencepiece.SentencePieceProcessor(model_proto=content.getvalue())
    rows = range(theirs.get_piece_size())
    kinds = ("is_unknown", "is_control", "is_unused", "is_byte")
    types = [next((t for t, k in zip((2, 3, 5, 6), kinds, strict=True) if getattr(theirs, k)(row)), 1) for row in rows]
    from sentencepiece import sentencepiece_model_pb2 as protocol

    model = protocol.ModelProto.FromString(content.getvalue())
    more: dict[str, Any] = {"token_scores": [theirs.get_score(row) for row in rows], "add_space_prefix": prefix}
    if kind == "t5":
        more["precompiled_charsmap"] = model.normalizer_spec.precompiled_charsmap
        more["remove_extra_whitespaces"] = True
    ours = written(tmp_path / "m.gguf", kind, [theirs.id_to_piece(row) for row in rows], types, **more)
    texts = [*HARD_TEXTS, *DOCUMENTS[400:900]]
    differing = [
        text for text, ids in zip(texts, ours.encode(texts), strict=True) if sorted(ids) != sorted(theirs.encode(text))
    ]
    assert differing == []


@pytest.mark.parametrize("pre", sorted(REGULAR | RAW | dict.fromkeys(GPT2 | SINGLE_DIGITS)))
def test_every_known_way_to_split_loses_no_letter(pre: str, tmp_path: Path) -> None:
    from tokenizers import pre_tokenizers

    raw = pre in RAW
    letters = sorted({letter for text in HARD_TEXTS for letter in text.replace(" ", "\u2581")})
    letters = sorted({*letters, "z", "q"}) if raw else sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<s>", *letters, "zq"]
    types = [3] + [1] * (len(tokens) - 1)
    ours = written(tmp_path / "m.gguf", "gpt2", tokens, types, tokenizer_pre=pre, token_merges=["z q"])
    assert ours.notes == ()
    texts = ours.texts(ours.size)
    for text, ids in zip(HARD_TEXTS, ours.encode(HARD_TEXTS), strict=True):
        if raw:
            assert "".join(texts[row] for row in ids) == text
        else:
            assert len(ids) == len(text.encode())


#: How the models' own tokenizers split, as their published `tokenizer.json` have it.
OWN = {
    "deepseek-v3": ("a12345中文b,xyz  c\n\n", ["a", "123", "45", "中文", "b", ",xyz", " ", " c", "\n\n"]),
    "glm4": ("It's 12345.\n x", ["It", "'s", " ", "123", "45", ".\n", " x"]),
    "falcon": ("a==b 12345`c", ["a", "==", "b", " ", "123", "45", "`", "c"]),
    "bloom": ("Hello, world. ok", ["Hello", ",", " world", ".", " ok"]),
    "kimi-k2": ("中文abc 12345DEf's", ["中文", "abc", " ", "123", "45", "DEf's"]),
    "superbpe": ("a1234567b", ["a", "1", "234", "567", "b"]),
    "exaone4": ("a12 b", ["a", "12", " b"]),
    "hunyuan": ("a12 b", ["a", "1", "2", " b"]),
    "afmoe": ("a1234567b", ["a", "1", "234", "567", "b"]),
    "gemma4": ("a b\nc", ["a b", "\n", "c"]),
}


@pytest.mark.parametrize("pre", OWN)
def test_pieces_are_those_of_the_models_own_tokenizer(pre: str, tmp_path: Path) -> None:
    text, pieces = OWN[pre]
    tokens = ["<s>", "a", "b", "ab"]
    ours = written(tmp_path / "m.gguf", "gpt2", tokens, [3, 1, 1, 1], tokenizer_pre=pre, token_merges=["a b"])
    if pre in RAW:
        text, pieces = text.replace(" ", "\u2581"), [piece.replace(" ", "\u2581") for piece in pieces]
    assert [text[start:stop] for _, (start, stop) in ours.backend.pre_tokenizer.pre_tokenize_str(text)] == pieces


def test_a_word_that_is_a_token_is_taken_whole_where_the_model_does_so(tmp_path: Path) -> None:
    for pre in ("tekken", "qwen2"):
        tokens = ["<s>", "a", "b", "c", "ab", "abc"]  # and no merge makes the last
        ours = written(tmp_path / "m.gguf", "gpt2", tokens, [3] + [1] * 5, tokenizer_pre=pre, token_merges=["a b"])
        assert [tokens[row] for row in ours.encode(["abc"])[0]] == (["abc"] if pre in WHOLE_WORDS else ["ab", "c"])


def test_berts_word_pieces_are_those_of_transformers(tmp_path: Path) -> None:
    from transformers import BertTokenizerFast

    words = sorted({word.lower() for text in HARD_TEXTS for word in text.split()} - {""})
    letters = sorted({letter.lower() for text in HARD_TEXTS for letter in text if not letter.isspace()})
    listed = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys([*words, *letters])]
    listed += [f"##{letter}" for letter in letters]
    (tmp_path / "vocab.txt").write_text("\n".join(listed))
    theirs = BertTokenizerFast(str(tmp_path / "vocab.txt"))
    # as llama.cpp writes them: beginnings of words are marked, and what goes on is not
    marked = [t if t.startswith("[") else t[2:] if t.startswith("##") else f"\u2581{t}" for t in listed]
    types = [3 if t.startswith("[") and len(t) > 1 else 1 for t in listed]
    ours = written(tmp_path / "m.gguf", "bert", marked, types, unk_token_id=1)
    for text, ids in zip(HARD_TEXTS, ours.encode(HARD_TEXTS), strict=True):
        assert list(ids) == theirs.encode(text, add_special_tokens=False), text


def test_a_kind_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match=r"of the kind 'rwkv', which cannot be read\.\n.*--tokenizer"):
        written(tmp_path / "m.gguf", "rwkv", ["a"], [1])
