"""What is read of SentencePiece models, against SentencePiece itself."""

import io
import pydoc_data.topics
from importlib.util import find_spec
from pathlib import Path

import pytest
from builders import make_model, missing

from geoprobe.errors import BadDataError
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.tokenizer import load_tokenizer

from .hard_texts import HARD_TEXTS

sentencepiece = pytest.importorskip("sentencepiece")

DOCUMENTS = tuple(part for text in pydoc_data.topics.topics.values() for part in text.split("\n\n"))
#: Settings of the trainer.
SETTINGS = {
    "llama": {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity", "split_digits": True}
    | {"remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True},
    "gemma": {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity"}
    | {"remove_extra_whitespaces": False, "add_dummy_prefix": False, "user_defined_symbols": ["<mask>", "\n\n", "<m"]},
    "defaults": {"model_type": "bpe"},
    "t5": {"model_type": "unigram"},
    "unigram": {"model_type": "unigram", "byte_fallback": True, "normalization_rule_name": "nfkc"}
    | {"remove_extra_whitespaces": False, "user_defined_symbols": ["<mask>"]},
}


def trained(path: Path, name: str) -> Path:
    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*DOCUMENTS[:400], *HARD_TEXTS] * 2),
        model_writer=content,
        vocab_size=1200,
        character_coverage=0.999,
        minloglevel=2,
        **SETTINGS[name],
    )
    path.write_bytes(content.getvalue())
    return path


@pytest.mark.parametrize("name", SETTINGS)
def test_tokens_are_those_of_sentencepiece(name: str, tmp_path: Path) -> None:
    path = trained(tmp_path / "tokenizer.model", name)
    theirs, ours = sentencepiece.SentencePieceProcessor(model_file=str(path)), load_tokenizer(path)
    assert ours.size == theirs.get_piece_size()
    texts = [*HARD_TEXTS, *DOCUMENTS[400:], "a <mask> b", "<mask>", "<mask", "a\n\n\nb", "", " ", "   "]
    for text, ids in zip(texts, ours.encode(texts), strict=True):
        expected = theirs.encode(text)
        if list(ids) != expected:  # of two cuts of the same probability either is right
            assert SETTINGS[name]["model_type"] == "unigram"
            assert sum(map(theirs.get_score, map(int, ids))) == pytest.approx(
                sum(map(theirs.get_score, expected)), 1e-6
            )
            assert sorted(ids) == sorted(expected)


def test_a_folder_with_such_a_model_alone_is_read(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    path = trained(folder / "tokenizer.model", "llama")
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    for given in (None, path):
        tokenizer = open_model(folder, tokenizer=given).tokenizer
        assert list(tokenizer.encode(["\n    return"])[0]) == theirs.encode("\n    return")
        assert [tokenizer.texts(3)[row] for row in range(3) if tokenizer.special(3)[row]] == ["<unk>", "<s>", "</s>"]


@pytest.mark.parametrize("name", ["tokenizer.model.v1", "mistral_instruct_tokenizer_240323.model.v3"])
def test_mistrals_own_vocabularies_are_read_as_sentencepiece_reads_them(name: str, tmp_path: Path) -> None:
    spec = find_spec("mistral_common")
    if spec is None or spec.origin is None:
        missing("mistral", "mistral-common, which carries the vocabularies, is not installed")
    path = tmp_path / "tokenizer.model"
    path.symlink_to(Path(spec.origin).parent / "data" / name)
    theirs, ours = sentencepiece.SentencePieceProcessor(model_file=str(path)), load_tokenizer(path)
    texts = [*HARD_TEXTS, *DOCUMENTS]
    assert [list(ids) for ids in ours.encode(texts)] == theirs.encode(texts)


@pytest.mark.parametrize(
    "content", [b"\n", b"\n\xff\xff\xff\xff\x0f", b"\n\x02\x0a\x00" * 3, b"\n" + b"\x80" * 20, b"\n\x00"]
)
def test_a_damaged_model_is_bad_data(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(BadDataError, match="SentencePiece model"):
        load_tokenizer(tmp_path / "tokenizer.model")
