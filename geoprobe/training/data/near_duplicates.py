"""Texts that hold most of a question's runs of words, close together and with its numbers."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

#: A near-duplicate holds this part of a question's runs of so many words, at least so many runs, within twice the
#: question's length, and more than half of the question's numbers: one story with other numbers is another question.
#: Measured: none of GSM8K's test questions is found in its training set (BoolQ: 0.12%, ARC-e: 0.63%); of its questions
#: with every tenth word replaced 81% are found (AddSub: 73%). Short formulas ("will there be a season 8 of ...") are
#: why runs are counted too.
NGRAM, THRESHOLD, FEWEST = 4, 0.5, 8

_WINDOW = 2
#: Bounds that keep the time in proportion to the texts, where thousands of them tell one story with other numbers:
#: look-ups for a question, of its rarest runs first, and texts that are then read again, the most alike first.
_LOOKED_UP, _READ_AGAIN = 10_000, 64


@dataclass(frozen=True)
class Nearest:
    """The text that is most like a question, and the share of the question's runs that it holds."""

    text: int
    overlap: float


class NearDuplicates:
    """Texts indexed by those runs of words that some question has.

    `questions` are the words of all that will be asked about; `words_of` gives those of a text by its number, for the
    few that are looked at again.
    """

    def __init__(self, questions: Iterable[Sequence[str]], words_of: Callable[[int], tuple[str, ...]]) -> None:
        self._texts: dict[tuple[str, ...], array[int]] = {
            gram: array("I") for words in questions if len(words) >= NGRAM for gram in ngrams(words)
        }
        self._words_of = lru_cache(maxsize=4096)(words_of)

    def add(self, words: Sequence[str], text: int) -> None:
        """Index a text by its number."""
        if len(words) >= NGRAM:
            for gram in self._texts.keys() & set(ngrams(words)):
                self._texts[gram].append(text)

    def nearest(self, words: tuple[str, ...]) -> Nearest | None:
        """The text that holds most of a question's runs, if that is enough and its numbers are the question's."""
        grams = set(ngrams(words)) if len(words) >= NGRAM else set()
        enough = max(FEWEST, math.ceil(THRESHOLD * len(grams)))
        if len(grams) < enough:
            return None
        shared: Counter[int] = Counter()
        left, lookups = len(grams), _LOOKED_UP
        for gram in sorted(grams, key=lambda gram: (len(self._texts[gram]), gram)):
            if not lookups:
                break
            texts = self._texts[gram][:lookups]
            shared.update(texts)
            lookups -= len(texts)
            left -= 1
        best: Nearest | None = None
        for text, count in sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:_READ_AGAIN]:
            if count + left < enough or (best is not None and count + left <= best.overlap * len(grams)):
                break
            held, within = _most_together(self._words_of(text), grams, _WINDOW * len(words))
            if held >= enough and (best is None or held > best.overlap * len(grams)) and _same_numbers(words, within):
                best = Nearest(text, held / len(grams))
        return best


def ngrams(words: Sequence[str]) -> Iterable[tuple[str, ...]]:
    """Every run of `NGRAM` words."""
    return zip(*(words[start:] for start in range(NGRAM)), strict=False)


def _most_together(words: tuple[str, ...], grams: set[tuple[str, ...]], window: int) -> tuple[int, tuple[str, ...]]:
    """How many of the runs stand within some `window` words of a text, at most, and these words with some before."""
    here: Counter[tuple[str, ...]] = Counter()
    found = [(place, gram) for place, gram in enumerate(ngrams(words)) if gram in grams]
    most, most_at, first = 0, 0, 0
    for place, gram in found:
        here[gram] += 1
        while found[first][0] + window < place + NGRAM:
            old = found[first][1]
            here[old] -= 1
            if not here[old]:
                del here[old]
            first += 1
        if len(here) > most:
            most, most_at = len(here), found[first][0]
    return most, words[max(0, most_at - window // 2) : most_at + window]


def _same_numbers(asked: tuple[str, ...], learned: tuple[str, ...]) -> bool:
    numbers = Counter(word for word in asked if word[0].isdigit())
    return not numbers or 2 * (numbers & Counter(learned)).total() > numbers.total()
