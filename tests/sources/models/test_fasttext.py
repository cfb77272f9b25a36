import base64
import zlib
from pathlib import Path

import numpy as np
import pytest
from builders import fasttext_model

from geoprobe.errors import BadDataError, UsageError
from geoprobe.sources.models.loading import open_model

#: A model that fastText 0.9.2 trained on six words (pieces of 1 to 3 letters, 18 buckets), and what it gives for them.
TRAINED = zlib.decompress(
    base64.b85decode(
        "c-q?~=C9Agz`(!+#H>)v45b;N;vg&p<%8r>fLPaA=Jg{pDSLJx8-zi?9!md*f|86>22Q9LLweESZHMQl79m8E6H5@BXVaHHo3rM{"
        "s(A>Zyu`!n%aBY+%u7LVZ1jum5IhD+D9r?=7nEJu=hk?_?)QUv`+hyRus0;S(hi%L<J%ScdYC5K-C_T}x4D11UBlFnJ%^81?OVcb"
        "Y-e85YrAK~oPA8+JNL0{Ro)jb(qSu9(_$x9v&VMDwoi7QE;IKEp4HwfKKrTN@n^s6mYj&QTgI+#v*Uy0zNfA`_uY4Wx>un<es3|`"
        "VOz2CmVF0&4fc7JO|pw}n7;4lR13QcUw7|wYwEZ8dT`;sfZV5cF<08{x=KFp3(^a*GZJ56`^D774j#5l43q%?T>yxu"
    )
)
GIVEN = {
    "the": [-0.0117712, 0.02970462],
    "größer": [0.01267689, -0.04486784],
    "cat": [0.02851341, -0.11834401],
    "日本語": [0.23504002, -0.03513989],
    "naïve": [-0.09097381, -0.04637336],
    "and": [-0.03851599, -0.10154252],
    "</s>": [-0.12062046, 0.29601678],
}
NAMES = ("</s>", "the", "a", "größer", "日本語", "\U0001f600", "x" * 40, "<", "e\u0301te")
#: Beside words: bytes that no text has, and none.
ODD = (*(name.encode() for name in NAMES), b"\xff\xc3", b"\xa9\xa9t", b"")


def of_a_word(word: bytes, row: int, matrix: np.ndarray, shortest: int, longest: int, buckets: int) -> np.ndarray:
    """The mean of a word's own row and those of its pieces, a piece at a time."""
    rows, words = [row], len(matrix) - buckets
    letters: list[bytes] = []
    for byte in b"" if word == b"</s>" else b"<" + word + b">":
        if 0x80 <= byte < 0xC0:
            letters[-1] += bytes([byte])
        else:
            letters.append(bytes([byte]))
    for begin in range(len(letters)):
        for end in range(begin + 1, len(letters) + 1):
            edge = end == begin + 1 and (begin == 0 or end == len(letters))
            if shortest <= end - begin <= longest and not edge:
                code = 2166136261
                for byte in b"".join(letters[begin:end]):
                    code = ((code ^ (byte if byte < 128 else byte + 0xFFFFFF00)) * 16777619) % 2**32
                rows.append(words + code % buckets)
    return np.mean(matrix[rows].astype(np.float64), axis=0)


def test_vectors_are_those_that_fasttext_itself_gives(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(TRAINED)
    loaded = open_model(tmp_path / "m.bin")
    table = loaded.table()
    assert table.tokens == tuple(GIVEN)
    np.testing.assert_allclose(table.vectors.read(0, 7), list(GIVEN.values()), atol=1e-7)
    rows = loaded.tokenizer.encode(["The cat, größer dogs"])[0]
    assert [table.tokens[row] for row in rows] == ["the", "cat", "größer"]


@pytest.mark.parametrize(("shortest", "longest"), [(1, 3), (3, 6), (5, 5), (0, 60), (4, 2)])
def test_vectors_are_those_of_the_published_sum_a_piece_at_a_time(tmp_path: Path, shortest: int, longest: int) -> None:
    matrix = np.random.default_rng(longest).standard_normal((len(ODD) + 70, 5)).astype(np.float32)
    path = tmp_path / "m.bin"
    path.write_bytes(
        fasttext_model(ODD, matrix, shortest=shortest, longest=longest, buckets=70, label_words=[b"__label__x"])
    )
    rows = open_model(path).checkpoint.rows("vectors")
    expected = [of_a_word(word, row, matrix, shortest, longest, 70) for row, word in enumerate(ODD)]
    np.testing.assert_allclose(rows.read(0, len(ODD)), expected, atol=1e-6)
    some = np.array([9, 2, 2, 0])
    np.testing.assert_array_equal(rows.take(some), rows.read(0, len(ODD))[some])


@pytest.mark.parametrize("numbers", [1, 24, 160])
def test_many_words_are_added_up_block_by_block_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: int
) -> None:
    words = [f"w{number:x}" for number in range(500)]
    matrix = np.random.default_rng(0).standard_normal((600, 8)).astype(np.float32)
    (tmp_path / "m.bin").write_bytes(fasttext_model([word.encode() for word in words], matrix, buckets=100))
    rows = open_model(tmp_path / "m.bin").checkpoint.rows("vectors")
    whole = rows.read(0, 500)
    monkeypatch.setattr("geoprobe.sources.models.fasttext._LETTERS", 50)
    monkeypatch.setattr("geoprobe.sources.models.fasttext._NUMBERS", numbers)
    np.testing.assert_allclose(rows.read(0, 500), whole, atol=1e-6)
    np.testing.assert_array_equal(
        np.concatenate([rows.read(at, at + 90) for at in range(0, 500, 90)]), rows.read(0, 500)
    )


@pytest.mark.parametrize("settings", [{"longest": 0}, {"version": 11, "kind": 3}, {"shortest": 5, "longest": 4}])
def test_a_model_without_pieces_has_its_words_rows(tmp_path: Path, settings: dict[str, int]) -> None:
    matrix = np.arange(10, dtype=np.float32).reshape(5, 2)
    (tmp_path / "m.bin").write_bytes(fasttext_model([b"the", b"of"], matrix, **{"buckets": 3, **settings}))
    np.testing.assert_array_equal(open_model(tmp_path / "m.bin").table().vectors.read(0, 2), matrix[:2])


def test_the_hash_of_a_model_is_of_its_pieces_too(tmp_path: Path) -> None:
    matrix, hashes = np.ones((5, 2), np.float32), set()
    for value in (1, 2):
        matrix[-1] = value
        (tmp_path / "m").write_bytes(fasttext_model([b"the", b"of"], matrix, buckets=3))  # known without a suffix
        hashes.add(open_model(tmp_path / "m").table().source.sha256)
    assert len(hashes) == 2


def test_a_quantised_model_is_refused_in_a_sentence(tmp_path: Path) -> None:
    content = fasttext_model([b"the"], np.ones((4, 2), np.float32), buckets=3, pruned=[(1, 0)], quantised=True)
    for name in ("m.bin", "m.ftz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match="is a quantised model of fastText's"):
            open_model(tmp_path / name)


@pytest.mark.parametrize("end", [0, 3, 40, 91, 99, 110, 130, 150, 180])
def test_a_model_that_was_cut_is_bad_data(tmp_path: Path, end: int) -> None:
    content = fasttext_model([b"the", b"of"], np.ones((5, 2), np.float32), buckets=3)
    assert len(content) > 180
    (tmp_path / "m.ftz").write_bytes(content[:end])
    with pytest.raises(BadDataError, match="is not a whole model of fastText's"):
        open_model(tmp_path / "m.ftz")
