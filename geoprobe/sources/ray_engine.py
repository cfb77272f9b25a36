"""Counting on Ray: on the cluster that RAY_ADDRESS names, or a Ray of this machine's own for the time it takes.

Parts of a corpus that can be read anywhere (files of a folder that every node sees) are counted each by a task of its
own. A corpus of one part is read here, in order, and its documents are encoded by the tasks. Either way everything that
depends on order, such as the hash and the sample of prompts, follows the documents' order, and the result is that of
one process.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from geoprobe.data import Documents
from geoprobe.errors import GeoprobeError, NotFoundError
from geoprobe.sources.corpora import Corpus
from geoprobe.sources.tally import Tally, TallyOptions, batches, encode, tally_part
from geoprobe.sources.tokenizer import Tokenizer

__all__ = ["ray_tallies"]

#: Tasks under way for each core: enough to keep it busy, few enough to bound what waits for its turn.
_AHEAD = 2
_PATIENCE_SECONDS = 10
#: A task has one core: its tokenizer starts no threads.
_ENVIRONMENT = {"env_vars": {"TOKENIZERS_PARALLELISM": "false"}}


def ray_tallies(
    tokenizer: Tokenizer, corpus: Corpus, options: TallyOptions, progress: Callable[[int], None] | None
) -> Iterator[Tally]:
    """A tally of each part, in order.

    Raises
    ------
    NotFoundError
        When Ray is not installed.
    GeoprobeError
        When the cluster cannot be reached, or a task fails.
    """
    told = progress or (lambda _: None)
    with _cluster() as ray:
        shared = ray.put(tokenizer)
        documents = 0
        if len(corpus.parts) > 1:
            count = ray.remote(runtime_env=_ENVIRONMENT)(tally_part)
            for tally in _in_order(
                ray, (count.remote(shared, part, number, options) for number, part in enumerate(corpus.parts))
            ):
                documents += tally.n_documents
                told(documents)
                yield tally
            return
        tally = Tally(options, 0)
        read: deque[list[str]] = deque()
        tokens = ray.remote(runtime_env=_ENVIRONMENT)(encode)

        def tasks() -> Iterator[Any]:
            for texts in batches(corpus.documents()):
                read.append(texts)
                yield tokens.remote(shared, texts)

        encoded: Documents
        for encoded in _in_order(ray, tasks()):
            tally.add(read.popleft(), encoded)
            told(tally.n_documents)
        yield tally.finish()


def _in_order(ray: Any, tasks: Iterable[Any]) -> Iterator[Any]:
    """Results of tasks in their order, a bounded number of them under way."""
    ahead = max(int(_AHEAD * ray.cluster_resources().get("CPU", 1)), 2)
    waiting: deque[Any] = deque()
    for task in tasks:
        waiting.append(task)
        if len(waiting) >= ahead:
            yield _result(ray, waiting.popleft())
    while waiting:
        yield _result(ray, waiting.popleft())


def _result(ray: Any, task: Any) -> Any:
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, GeoprobeError):
            raise error.cause from error
        raise GeoprobeError(f"A task failed on Ray: {error.cause!r}.", "See the log of its worker.") from error
    except ray.exceptions.RayError as error:
        raise GeoprobeError(
            f"Ray gave up: {type(error).__name__}: {error}".strip(), "See the cluster's state by: ray status"
        ) from error


def _answers(address: str) -> None:
    """Find out in seconds what Ray takes minutes to say."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):  # such as "auto"
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise GeoprobeError(
            f"Ray at {address} cannot be reached: {error}.",
            "Set RAY_ADDRESS to a running cluster, or unset it for a Ray of this machine's own.",
        ) from error


@contextmanager
def _cluster() -> Iterator[Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    try:
        import ray
    except ImportError as error:
        raise NotFoundError(
            "Counting on Ray needs the package `ray`, which is not installed.",
            "Install it by: pip install 'geoprobe[scale]'",
        ) from error
    if ray.is_initialized():  # the caller's own
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _answers(address)
    local = {} if address else {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **local)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise GeoprobeError(
            f"Ray at {address or 'this machine'} cannot be reached: {error}",
            "Set RAY_ADDRESS to a running cluster, or unset it for a Ray of this machine's own.",
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
