import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from builders import WORDS

from geoprobe.errors import BadDataError, NotFoundError, UsageError
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.tokenizer import load_tokenizer, word_tokenizer

VECTORS = np.random.default_rng(0).standard_normal((len(WORDS), 5)).astype(np.float32)
LINES = "".join(f"{word} {' '.join(map(str, row))}\n" for word, row in zip(WORDS, VECTORS.tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("glove.txt", LINES.encode()),
        ("word2vec.vec", f"{len(WORDS)} 5\n{LINES}".encode()),
        ("windows.txt", b"\xef\xbb\xbf" + LINES.replace("\n", "\r\n").encode()),
        ("word2vec.TXT", b"\xef\xbb\xbf" + f"{len(WORDS)} 5\n{LINES}".encode()),
        ("glove.txt.GZ", gzip.compress(LINES.encode(), mtime=0)),
        ("glove.txt.gz", gzip.compress(LINES.encode(), mtime=0)),
    ],
)
def test_words_and_vectors_are_read_from_text(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    loaded = open_model(path)
    table = loaded.table()
    np.testing.assert_array_equal(table.vectors.read(0, table.size), VECTORS)
    assert table.tokens == tuple(WORDS)
    assert [table.tokens[row] for row in loaded.tokenizer.encode(["The and; zzz of-it IN"])[0]] == ["the", "and", "in"]
    assert "not in the vocabulary are not counted" in table.source.notes[0]
    assert table.source.sha256 == open_model(path).table().source.sha256


def test_a_number_that_float32_cannot_hold_is_infinite_and_no_warning(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("the 1 2\nand 1e60 2\nof -1e60 1e-60\n")
    table = open_model(tmp_path / "v.txt").table()
    assert table.vectors.read(0, 3).tolist() == [[1, 2], [np.inf, 2], [-np.inf, 0]]
    assert table.finite.tolist() == [True, False, False]


def test_a_word_with_a_space_in_it_is_one_word(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("a 1 2 3\n. . . 4 5 6\n")
    assert open_model(tmp_path / "v.txt").table().tokens == ("a", ". . .")


@pytest.mark.parametrize("name", ["words.txt", "words.json", "rows.json", "words.parquet"])
def test_an_array_takes_its_words_from_a_vocabulary(tmp_path: Path, name: str) -> None:
    import pandas as pd

    np.save(tmp_path / "m.npy", VECTORS)
    vocabulary = tmp_path / name
    if name.endswith(".parquet"):
        pd.DataFrame({"index": WORDS}).to_parquet(vocabulary)
    elif name == "words.txt":
        vocabulary.write_text("\n".join(WORDS) + "\n")
    else:
        vocabulary.write_text(json.dumps(WORDS if name == "words.json" else {w: i for i, w in enumerate(WORDS)}))
    table = open_model(tmp_path / "m.npy", tokenizer=vocabulary).table()
    assert table.find("they") == WORDS.index("they")
    np.testing.assert_array_equal(table.vectors.read(0, 3), VECTORS[:3])


def test_capitals_are_kept_where_the_vocabulary_has_them() -> None:
    words = ["The", "the", "Of"]
    assert word_tokenizer(words).encode(["The the OF"])[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't", ["do", "n't"]),
        ("it's 3.5, u.s.", ["it", "'s", "3.5", ",", "u", ".", "s", "."]),
        ("state-of-the-art (x)", ["state-of-the-art", "(", "x", ")"]),
    ],
)
def test_text_is_split_as_the_penn_treebank_has_it(text: str, words: list[str]) -> None:
    vocabulary = sorted(set(words))
    tokenizer = word_tokenizer(vocabulary)
    assert [vocabulary[row] for row in tokenizer.encode([text])[0]] == words


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.txt", b"a 1 2\nb 1 x\n", r"line 2, is not a word and 2 numbers"),
        ("v.txt", b"a 1 2\nb 1 2 3\nc 1\n", r"line 3, is not"),
        ("v.txt", b"", "holds 0 word vectors"),
        ("v.txt", b"3 2\na 1 2\n", "holds 1 word vectors, and its first line says 3"),
        ("v.txt", b"\xff\xfe 1 2\n", "not a text file of word vectors"),
        ("v.txt.gz", b"not packed", "not a text file of word vectors"),
        ("v.txt.gz", gzip.compress(b"a 1 2\n" * 99, mtime=0)[:-12], "not a text file of word vectors"),
        ("v.txt", b"a" * 2_000_000, "a line of over"),
        ("v.npy", b"\x93NUMPY nonsense", "is not a numpy array"),
    ],
)
def test_a_damaged_file_is_bad_data(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "words.txt").write_text("a\nb\n")
    with pytest.raises(BadDataError, match=message):
        open_model(tmp_path / name, tokenizer=tmp_path / "words.txt").table()


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.array([[object()]], dtype=object), allow_pickle=True)
    (tmp_path / "words.txt").write_text("a\n")
    with pytest.raises(BadDataError, match="is not a numpy array"):
        open_model(tmp_path / "m.npy", tokenizer=tmp_path / "words.txt").table()


def test_several_arrays_in_one_file_are_no_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", VECTORS)
    (tmp_path / "m.npz").rename(tmp_path / "m.npy")
    (tmp_path / "words.txt").write_text("a\n")
    with pytest.raises(BadDataError, match="is not a numpy array"):
        open_model(tmp_path / "m.npy", tokenizer=tmp_path / "words.txt").table()


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", VECTORS)
    with pytest.raises(UsageError, match="Give its vocabulary by --tokenizer"):
        open_model(tmp_path / "m.npy").table()
    with pytest.raises(NotFoundError, match="There is no tokenizer at"):
        open_model(tmp_path / "m.npy", tokenizer=tmp_path / "none").table()
    (tmp_path / "words.csv").write_text("a")
    with pytest.raises(UsageError, match=r"it is a \.csv file"):
        load_tokenizer(tmp_path / "words.csv")
    (tmp_path / "rows.json").write_text('{"a": 5}')
    with pytest.raises(BadDataError, match="rows are not 0 to"):
        load_tokenizer(tmp_path / "rows.json")


def test_a_word_that_comes_again_keeps_its_text_and_is_counted_in_its_first_row(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("the 1 2\nof 3 4\nthe 5 6\n")
    loaded = open_model(tmp_path / "v.txt")
    table = loaded.table()
    assert table.tokens == ("the", "of", "the")
    assert list(loaded.tokenizer.encode(["the of"])[0]) == [0, 1]
    assert "Words that come again, counted in their first row: 1." in table.source.notes
    assert not any("padding" in note for note in table.source.notes)


def test_word2vecs_binary_format_is_its_layout(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((3, 5)).astype("<f4")
    words = ("the", "größer", "a\n")
    for end in (b"", b"\n"):  # some writers end a vector with a line
        rows = (word.encode() + b" " + vector.tobytes() + end for word, vector in zip(words, vectors, strict=True))
        (tmp_path / "v.bin").write_bytes(b"3 5\n" + b"".join(rows))
        table = open_model(tmp_path / "v.bin").table()
        assert table.tokens == words
        np.testing.assert_array_equal(table.vectors.read(0, 3), vectors)
    content = (tmp_path / "v.bin").read_bytes()
    for damaged in (content[:-9], b"9" * 12 + content[1:]):
        (tmp_path / "v.bin").write_bytes(damaged)
        with pytest.raises(BadDataError, match="its first line says"):
            open_model(tmp_path / "v.bin")


def test_what_is_no_table_of_words_is_said(tmp_path: Path) -> None:
    for name in ("g.kv", "g.wordvectors"):
        (tmp_path / name).write_bytes(b"\x80\x04")
        with pytest.raises(UsageError, match=r"is a pickle, as gensim writes them.*\n.*save_word2vec_format"):
            open_model(tmp_path / name)
