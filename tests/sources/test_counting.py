import hashlib
from collections import Counter
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from builders import word_tokenizer
from scipy import stats

from geoprobe.errors import BadDataError, UsageError
from geoprobe.sources import counting, tally
from geoprobe.sources.corpora import Continued, Corpus
from geoprobe.sources.models.tokenizer import Tokenizer

WORDS = ["a", "b", "c", "d"]
TOKENIZER = Tokenizer(word_tokenizer(WORDS))


def corpus(*texts: str) -> Corpus:
    return Corpus("test", (lambda: iter(texts),))


def test_counts_equal_a_plain_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "BATCH_CHARACTERS", 50)  # many batches
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(1, 30))) for _ in range(200)]
    told: list[int] = []
    counts, prompts = counting.count_tokens(TOKENIZER, corpus(*texts), rows=7, max_prompts=9, progress=told.append)
    expected = Counter(word for text in texts for word in text.split())
    assert counts.counts.tolist() == [0, *(expected[word] for word in WORDS), 0, 0]
    assert counts.n_documents == 200
    assert told[-1] == 200
    assert len(told) > 10
    assert [[WORDS[row - 1] for row in ids] for ids in prompts.ids] == [text.split() for text in texts[:9]]


def test_the_hash_tells_documents_apart_but_not_their_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(*texts: str) -> str:
        return counting.count_tokens(TOKENIZER, corpus(*texts), rows=5, max_prompts=1)[0].sha256

    whole = digest("a", "b")
    monkeypatch.setattr(tally, "BATCH_CHARACTERS", 1)
    assert digest("a", "b") == whole
    assert digest("ab") != whole
    assert digest("", "ab", "a") != digest("a", "b", "a")
    expected = hashlib.sha256(b"\x01" + bytes(7) + b"a" + b"\x01" + bytes(7) + b"b").hexdigest()
    assert whole == expected


def test_document_counts_equal_a_plain_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "BATCH_CHARACTERS", 50)
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(WORDS, size=rng.integers(1, 6))) for _ in range(100)]
    counts, _ = counting.count_tokens(TOKENIZER, corpus(*texts), rows=7, max_prompts=0)
    expected = Counter(word for text in texts for word in set(text.split()))
    assert counts.document_counts is not None
    assert counts.document_counts.tolist() == [0, *(expected[word] for word in WORDS), 0, 0]
    assert counts.tokenizer == TOKENIZER.sha256


def test_parts_add_up_to_their_whole_and_their_hashes_in_order_to_its_hash() -> None:
    parts = [("a b", "c"), ("d d",), ("a",)]
    several = Corpus("test", tuple(partial(iter, texts) for texts in parts))
    whole, prompts = counting.count_tokens(TOKENIZER, several, rows=5, max_prompts=3)
    one, firsts = counting.count_tokens(TOKENIZER, corpus("a b", "c", "d d", "a"), rows=5, max_prompts=3)
    np.testing.assert_array_equal(whole.counts, one.counts)
    assert whole.documents is not None
    assert one.documents is not None
    np.testing.assert_array_equal(whole.documents.ids, one.documents.ids)
    np.testing.assert_array_equal(whole.documents.starts, one.documents.starts)
    assert [ids.tolist() for ids in prompts.ids] == [ids.tolist() for ids in firsts.ids]
    digests = [
        bytes.fromhex(counting.count_tokens(TOKENIZER, corpus(*texts), rows=5, max_prompts=0)[0].sha256)
        for texts in parts
    ]
    assert whole.sha256 == hashlib.sha256(b"".join(digests)).hexdigest()


@pytest.mark.parametrize("n_parts", [1, 4])
def test_prompts_are_a_uniform_sample_in_random_order(n_parts: int) -> None:
    """Each of 20 documents in each of 5 places: chi-square over 150 seeds against equal chances."""
    words = [f"w{number}" for number in range(20)]
    tokenizer = Tokenizer(word_tokenizer(words))
    several = Corpus("test", tuple(partial(iter, words[start::n_parts]) for start in range(n_parts)))
    seen = np.zeros((5, 20), dtype=np.int64)
    for seed in range(150):
        _, prompts = counting.count_tokens(tokenizer, several, rows=21, max_prompts=5, seed=seed)
        drawn = [int(ids[0]) - 1 for ids in prompts.ids]
        assert len(set(drawn)) == 5
        seen[np.arange(5), drawn] += 1
    assert stats.chisquare(seen, axis=1).pvalue.min() > 1e-3
    assert stats.chisquare(seen.sum(axis=0)).pvalue > 1e-3


def test_a_seed_gives_the_same_prompts_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"w{number}" for number in range(300)]
    tokenizer = Tokenizer(word_tokenizer(words))

    def drawn(seed: int) -> list[list[int]]:
        found = counting.count_tokens(tokenizer, corpus(*words), rows=301, max_prompts=7, seed=seed)[1]
        return [ids.tolist() for ids in found.ids]

    first, other = drawn(1), drawn(2)
    monkeypatch.setattr(tally, "BATCH_CHARACTERS", 20)
    assert drawn(1) == first
    assert first != other


def test_long_prompts_are_cut_and_large_corpora_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "PROMPT_TOKENS", 2)
    for module in (tally, counting):
        monkeypatch.setattr(module, "KEPT_TOKENS", 3)
    counts, prompts = counting.count_tokens(TOKENIZER, corpus("a b c"), rows=5, max_prompts=1)
    assert [ids.tolist() for ids in prompts.ids] == [[1, 2]]
    assert counts.documents is not None
    counts, _ = counting.count_tokens(TOKENIZER, corpus("a b c", "d"), rows=5, max_prompts=1)
    assert counts.documents is None
    assert counts.n_tokens == 4
    two = Corpus("test", (partial(iter, ["a b"]), partial(iter, ["c d"])))
    assert counting.count_tokens(TOKENIZER, two, rows=5, max_prompts=1)[0].documents is None


def test_pieces_of_a_text_that_was_cut_are_counted() -> None:
    counts, _ = counting.count_tokens(
        TOKENIZER, corpus("a", Continued("b"), Continued("c"), "d"), rows=5, max_prompts=1
    )
    assert counts.n_continued == 2


def test_an_unknown_engine_is_said() -> None:
    with pytest.raises(UsageError, match="no engine 'spark'"):
        counting.count_tokens(TOKENIZER, corpus("a"), rows=5, max_prompts=1, engine="spark")


@pytest.mark.parametrize("texts", [(), ("", " ")])
def test_a_corpus_without_text_is_bad_data(texts: tuple[str, ...]) -> None:
    with pytest.raises(BadDataError, match="The corpus test holds no text"):
        counting.count_tokens(TOKENIZER, corpus(*texts), rows=5, max_prompts=1)


def test_ids_beyond_the_table_are_bad_data() -> None:
    with pytest.raises(BadDataError, match=r"gives id 4 \('d'\), but the embedding has 3 rows"):
        counting.count_tokens(TOKENIZER, corpus("a d"), rows=3, max_prompts=1)


def test_a_token_added_without_a_row_is_named_where_the_text_holds_it() -> None:
    backend = word_tokenizer(["a", "b"])
    backend.add_special_tokens(["<pad>"])  # type: ignore[attr-defined]
    counted, _ = counting.count_tokens(Tokenizer(backend), corpus("a b"), rows=3, max_prompts=1)
    assert counted.n_tokens == 2
    with pytest.raises(BadDataError, match=r"The text holds '<pad>', id 3, a token added.*\nTake it out of the text"):
        counting.count_tokens(Tokenizer(backend), corpus("a <pad> b"), rows=3, max_prompts=1)


def test_documents_are_read_as_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "BATCH_CHARACTERS", 10)
    alive = 0

    def endless() -> Iterator[str]:
        nonlocal alive
        for _ in range(1000):
            alive += 1
            yield "a b c"

    seen: list[int] = []

    def stop(done: int) -> None:
        seen.append(alive - done)
        if done > 100:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        counting.count_tokens(TOKENIZER, Corpus("t", (endless,)), rows=5, max_prompts=1, progress=stop)
    assert max(seen) <= 2  # the batch that is encoded while the one before it is added up
