"""Where texts hold given runs of words: all runs sought in one pass over each text, as Aho and Corasick (1975) do."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

_NOWHERE = -1


class WordRuns:
    """Runs of words that are sought in one text after the other.

    A text of n words takes time in proportion to n, however many runs are sought and however they overlap. Empty runs
    are never found. `first` is the place of the first text that holds each run, of those found so far.
    """

    def __init__(self, runs: Iterable[tuple[str, ...]]) -> None:
        self.first: dict[tuple[str, ...], int] = {}
        self._words: dict[str, int] = {}
        self._runs = list(dict.fromkeys(run for run in runs if run))
        for run in self._runs:
            for word in run:
                self._words.setdefault(word, len(self._words) + 1)
        self._step = len(self._words) + 1  # a state and a word as one number
        self._next: dict[int, int] = {}
        self._shorter: list[int] = [0]  # the state of the longest suffix that begins some run
        self._ended: list[int] = [_NOWHERE]  # the run that ends in a state
        self._build()

    def _build(self) -> None:
        children: list[list[tuple[int, int]]] = [[]]
        for number, run in enumerate(self._runs):
            state = 0
            for word in run:
                key = state * self._step + self._words[word]
                following = self._next.get(key)
                if following is None:
                    following = self._next[key] = len(children)
                    children[state].append((self._words[word], following))
                    children.append([])
                    self._shorter.append(0)
                    self._ended.append(_NOWHERE)
                state = following
            self._ended[state] = number
        #: The nearest state, itself or a suffix, in which a run ends that was not found yet; 0 for none.
        self._reports = [0] * len(children)
        waiting = deque([0])
        while waiting:
            state = waiting.popleft()
            for number, following in children[state]:
                if state:
                    self._shorter[following] = self._go(self._shorter[state], number)
                ends = self._ended[following] != _NOWHERE
                self._reports[following] = following if ends else self._reports[self._shorter[following]]
                waiting.append(following)

    def _go(self, state: int, word: int) -> int:
        while True:
            following = self._next.get(state * self._step + word)
            if following is not None:
                return following
            if not state:
                return 0
            state = self._shorter[state]

    def look(self, words: Sequence[str], place: int) -> None:
        """Seek all runs in a text; those that are new are first found in `place`."""
        known, go, reports = self._words, self._go, self._reports
        state = 0
        for written in words:
            word = known.get(written)
            if word is None:
                state = 0
                continue
            state = go(state, word)
            if reports[state]:
                self._report(state, place)

    def _report(self, state: int, place: int) -> None:
        """Note the runs that end in a state; they need not be noted there again."""
        ending = self._reports[state]
        while ending:
            self.first.setdefault(self._runs[self._ended[ending]], place)
            ending = self._reports[self._shorter[ending]]
        self._reports[state] = 0
