"""Counting on Ray.

Parts of a corpus that can be read anywhere (files of a folder that every node sees) are counted each by a task of its
own. A corpus of one part is read here, in order, and its documents are encoded by the tasks. Either way everything that
depends on order, such as the hash and the sample of prompts, follows the documents' order, and the result is that of
one process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from geoprobe.data import Documents
from geoprobe.sources.corpora import Corpus
from geoprobe.sources.models.tokenizer import Tokenizer
from geoprobe.sources.ray_cluster import in_order, ray_cluster
from geoprobe.sources.tally import Tally, TallyOptions, batches, encode, tally_part

#: A task has one core: its tokenizer starts no threads.
_ENVIRONMENT = {"env_vars": {"TOKENIZERS_PARALLELISM": "false"}}


def ray_tallies(
    tokenizer: Tokenizer, corpus: Corpus, options: TallyOptions, progress: Callable[[int], None] | None
) -> Iterator[Tally]:
    """A tally of each part, in order."""
    listener = progress or (lambda _: None)
    with ray_cluster() as ray:
        shared = ray.put(tokenizer)
        documents = 0
        if len(corpus.parts) > 1:
            count = ray.remote(runtime_env=_ENVIRONMENT)(tally_part)
            for tally in in_order(
                ray, (count.remote(shared, part, number, options) for number, part in enumerate(corpus.parts))
            ):
                documents += tally.n_documents
                listener(documents)
                yield tally
            return
        tally = Tally(options, 0)
        read: deque[list[str]] = deque()
        tokens = ray.remote(runtime_env=_ENVIRONMENT)(encode)

        def tasks() -> Iterator[Any]:
            for texts in batches(corpus.documents()):
                read.append(texts)
                yield tokens.remote(shared, texts, options.rows)

        encoded: Documents
        for encoded in in_order(ray, tasks()):
            tally.add(read.popleft(), encoded)
            listener(tally.n_documents)
        yield tally.finish()
