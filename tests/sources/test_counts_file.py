from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders import word_tokenizer
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, UsageError
from geoprobe.sources.corpora import Corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.counts_file import CountedCorpus, Counts, merge_counts, read_counts, save_counts
from geoprobe.sources.models.tokenizer import Tokenizer

WORDS = [f"w{number}" for number in range(30)]
TOKENIZER = Tokenizer(word_tokenizer(WORDS))
KEY = b"geoprobe.counts"


def counted(*texts: str, name: str = "test") -> Counts:
    corpus = Corpus(name, (lambda: iter(texts),))
    return Counts.of(count_tokens(TOKENIZER, corpus, rows=31, max_prompts=0)[0], "a note")


def equal(one: Counts, two: Counts) -> bool:
    return all(np.array_equal(value, asdict(two)[key]) for key, value in asdict(one).items())


TEXTS = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=6)


@given(TEXTS, TEXTS)
def test_a_merge_equals_one_count_of_both_corpora(
    tmp_path_factory: pytest.TempPathFactory, one: list[str], two: list[str]
) -> None:
    if one == two:
        return
    folder = tmp_path_factory.getbasetemp()
    files = [folder / "one.parquet", folder / "two.parquet"]
    save_counts(files[0], counted(*one, name="one"))
    save_counts(files[1], counted(*two, name="two"))
    merged = merge_counts([read_counts(file) for file in files], ["one", "two"])
    whole = counted(*one, *two)
    assert [corpus.name for corpus in merged.corpora] == ["one", "two"]
    for found, expected in (
        (merged.tokens, whole.tokens),
        (merged.counts, whole.counts),
        (merged.document_counts, whole.document_counts),
    ):
        np.testing.assert_array_equal(found, expected)


def test_counts_that_no_number_holds_are_not_added_up() -> None:
    one, two = (
        Counts((CountedCorpus(name, name * 64, 1, 1 << 62),), "t", *np.array([[0], [1 << 62], [1]])) for name in "ab"
    )
    with pytest.raises(BadDataError, match=r"The counts of a, b add up to 9,223,372,036,854,775,808 tokens"):
        merge_counts([one, two], ["a", "b"])


def test_a_saved_file_reads_back_and_expands_to_the_counts(tmp_path: Path) -> None:
    texts = ("w1 w2 w2", "w29 w1")
    original, _ = count_tokens(TOKENIZER, Corpus("test", (lambda: iter(texts),)), rows=31, max_prompts=0)
    saved = Counts.of(original)
    save_counts(tmp_path / "a.parquet", saved)
    read = read_counts(tmp_path / "a.parquet")
    assert equal(read, saved)
    expanded = read.expanded(31, TOKENIZER.sha256, "a.parquet")
    np.testing.assert_array_equal(expanded.counts, original.counts)
    np.testing.assert_array_equal(expanded.document_counts, original.document_counts)
    assert (expanded.sha256, expanded.n_documents, expanded.corpus) == (original.sha256, 2, "test")
    assert expanded.documents is None
    save_counts(tmp_path / "b.parquet", read)
    assert (tmp_path / "b.parquet").read_bytes() == (tmp_path / "a.parquet").read_bytes()


def test_counts_of_another_tokenizer_or_twice_of_one_corpus_are_refused() -> None:
    one, two = counted("w1"), counted("w2")
    other = replace(two, tokenizer="f" * 64)
    with pytest.raises(BadDataError, match=r"one and two were counted by different tokenizers \(\w{12}… and ffffff"):
        merge_counts([one, other], ["one", "two"])
    with pytest.raises(BadDataError, match="The corpus test is in one and in two, and would be counted twice"):
        merge_counts([one, one], ["one", "two"])
    with pytest.raises(BadDataError, match=r"x was counted by another tokenizer \(ffffff"):
        other.expanded(31, TOKENIZER.sha256, "x")
    with pytest.raises(BadDataError, match="x counts token 2, but the embedding has 2 rows"):
        one.expanded(2, TOKENIZER.sha256, "x")


def header(**changed: Any) -> bytes:
    import json

    corpus = {"name": "c", "sha256": "0" * 64, "n_documents": 2, "n_tokens": 5} | changed.pop("corpus", {})
    return json.dumps({"version": 1, "tokenizer": "t", "corpora": [corpus]} | changed).encode()


def table(stated: bytes | None = None, **columns: list[Any]) -> pa.Table:
    columns = {"token": [1, 2], "count": [2, 3], "documents": [1, 2]} | columns
    return pa.table(columns).replace_schema_metadata({KEY: header() if stated is None else stated})


def test_the_smallest_sound_file_is_read(tmp_path: Path) -> None:
    parquet.write_table(table(), tmp_path / "a.parquet")
    assert read_counts(tmp_path / "a.parquet").corpora == (CountedCorpus("c", "0" * 64, 2, 5),)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (table().replace_schema_metadata({}), "its metadata has no geoprobe.counts"),
        (table(b"{"), "its metadata cannot be read"),
        (table(b"[" * 100_000), "its metadata cannot be read"),
        (table(header(version=2)), "it has version 2, and this geoprobe reads 1"),
        (table(header(corpora=[])), "names no corpus"),
        (table(header(corpus={"sha256": "00"})), "impossible hash"),
        (table(header(corpus={"n_documents": -1})), "impossible hash or size"),
        (table(header(corpus={"n_tokens": 10**18})), r"add up to 5, and it states 1,000,000,000,000,000,000 tokens"),
        (table(header(corpus={"n_documents": 1})), "in more documents than there are"),
        (table(documents=[1, 4]), "or than it has occurrences"),
        (table(token=[2, 2]), "do not ascend"),
        (table(token=[-1, 2]), "do not ascend"),
        (table(token=[1, 1 << 24]), "go beyond 16,777,216"),
        (table(count=[2, -3]), "counts that are not positive"),
        (table(count=[1 << 62, 1 << 62]), "too large to add up"),
        (table(count=[2, None]), "it has empty cells"),
        (table(count=["2", "3"]), "its columns are token, count, documents, not"),
        (table(token=[], count=[], documents=[]).cast(table().schema), "it counts nothing"),
    ],
)
def test_a_file_that_contradicts_itself_is_bad_data(tmp_path: Path, made: pa.Table, message: str) -> None:
    parquet.write_table(made, tmp_path / "a.parquet")
    with pytest.raises(BadDataError, match=f"a.parquet is not a counts file: .*{message}"):
        read_counts(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"PAR1 but not really", BadDataError, "not a parquet file"),
        (b"", BadDataError, "not a parquet file"),
        (None, NotFoundError, "There is no counts file"),
    ],
)
def test_what_is_no_file_of_counts_is_said(
    tmp_path: Path, content: bytes | None, kind: type[GeoprobeError], message: str
) -> None:
    if content is not None:
        (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(kind, match=message):
        read_counts(tmp_path / "a.parquet")
    with pytest.raises(UsageError, match=r"'a\.csv' is not called so"):
        save_counts(tmp_path / "a.csv", counted("w1"))


def test_any_flipped_byte_or_cut_is_read_or_refused_but_never_a_fault(tmp_path: Path) -> None:
    save_counts(tmp_path / "a.parquet", counted(*(f"{a} {b}" for a in WORDS[:9] for b in WORDS)))
    content = (tmp_path / "a.parquet").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        (tmp_path / "b.parquet").write_bytes(damaged[: rng.integers(len(content)) if rng.random() < 0.3 else None])
        try:
            read_counts(tmp_path / "b.parquet")
        except BadDataError:
            refused += 1
    assert refused > 150
