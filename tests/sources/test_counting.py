import hashlib
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from builders import word_tokenizer

from geoprobe.errors import BadDataError
from geoprobe.sources import counting, tally
from geoprobe.sources.corpora import Corpus
from geoprobe.sources.tokenizer import Tokenizer

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


@pytest.mark.parametrize("texts", [(), ("", " ")])
def test_a_corpus_without_text_is_bad_data(texts: tuple[str, ...]) -> None:
    with pytest.raises(BadDataError, match="The corpus test holds no text"):
        counting.count_tokens(TOKENIZER, corpus(*texts), rows=5, max_prompts=1)


def test_ids_beyond_the_table_are_bad_data() -> None:
    with pytest.raises(BadDataError, match="gives id 4, but the embedding has 3 rows"):
        counting.count_tokens(TOKENIZER, corpus("a d"), rows=3, max_prompts=1)


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
    assert max(seen) <= 1
