"""Where runs are done: here one after the other, or spread over a Ray cluster, with the same results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch

from geoprobe.errors import GeoprobeError, UsageError, meant
from geoprobe.sources.ray_cluster import ray_cluster, result
from geoprobe.training.experiment import Experiment, RunWorker, Start, failed_run
from geoprobe.training.progress import QUESTION, ProgressListener
from geoprobe.training.records import Run, RunFacts
from geoprobe.training.running.matched_alpha import MatchedAlpha
from geoprobe.training.running.train import StorageError

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Does what an experiment consists of."""

    def start(self) -> Start:
        """Everything before the first training."""

    def runs(self, runs: Sequence[tuple[Run, MatchedAlpha]]) -> Iterator[RunFacts]:
        """What runs give, in their order."""


@contextmanager
def open_engine(name: str, experiment: Experiment, listener: ProgressListener) -> Iterator[Engine]:
    """An engine for the time of an experiment.

    ``local`` is here, ``ray`` the cluster that RAY_ADDRESS names (without it, a Ray of this machine's own); the
    experiment's folder must have the same path on every node.
    """
    if name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}.", f"{meant(name, ENGINES)}Give one of {', '.join(ENGINES)}.")
    if name == "local":
        yield _Local(experiment, listener)
        return
    with ray_cluster() as ray:
        yield _Ray(experiment, listener, ray)


class _Local:
    def __init__(self, experiment: Experiment, listener: ProgressListener) -> None:
        self._worker = RunWorker.of(experiment)
        self._listener = listener

    def start(self) -> Start:
        return self._worker.start(self._listener)

    def runs(self, runs: Sequence[tuple[Run, MatchedAlpha]]) -> Iterator[RunFacts]:
        for run, alpha in runs:
            yield self._worker.run(run, alpha, self._listener)


class _Ray:
    """Every task loads the model once in its worker, with this process's number of threads and folder."""

    def __init__(self, experiment: Experiment, listener: ProgressListener, ray: Any) -> None:
        self._experiment, self._listener, self._ray = experiment, listener, ray
        self._shared = ray.put((experiment, Path.cwd()))
        self._threads = experiment.setup.threads or torch.get_num_threads()
        largest = max((node["Resources"].get("CPU", 1) for node in ray.nodes() if node["Alive"]), default=1)
        self._task = {
            "num_cpus": min(self._threads, largest),
            "num_gpus": 1 if ray.cluster_resources().get("GPU") else 0,
            "max_retries": 0,  # a run goes on from its checkpoint by --resume
            "runtime_env": {"env_vars": {"TOKENIZERS_PARALLELISM": "false"}},
        }

    def start(self) -> Start:
        self._listener.run("the model before training", 1, self._experiment.questions * QUESTION)
        started: Start = result(self._ray, self._ray.remote(**self._task)(_start).remote(self._shared, self._threads))
        self._listener.advance(1)
        return started

    def runs(self, runs: Sequence[tuple[Run, MatchedAlpha]]) -> Iterator[RunFacts]:
        task = self._ray.remote(**self._task)(_record)
        waiting = [task.remote(self._shared, run, alpha, self._threads) for run, alpha in runs]
        for (run, alpha), reference in zip(runs, waiting, strict=True):
            asked = self._experiment.questions if run.purpose == "final" else 0
            self._listener.run(run.title, 1, run.steps + asked * QUESTION)
            try:
                facts: RunFacts = result(self._ray, reference)
            except StorageError:
                raise
            except GeoprobeError as error:  # the worker died
                facts = failed_run(run, alpha, error)
                self._experiment.store.save(run, facts, {})
            self._listener.advance(1)
            self._listener.finished(facts)
            yield facts


@lru_cache(maxsize=1)
def _worker(shared: tuple[Experiment, Path], threads: int) -> RunWorker:
    """The worker's own, its model loaded once."""
    experiment, folder = shared
    torch.set_num_threads(threads)
    with suppress(OSError):  # the model's path may be relative to where the experiment was asked for
        os.chdir(folder)
    return RunWorker.of(experiment)


def _start(shared: tuple[Experiment, Path], threads: int) -> Start:
    return _worker(shared, threads).start(ProgressListener())


def _record(shared: tuple[Experiment, Path], run: Run, alpha: MatchedAlpha, threads: int) -> RunFacts:
    return _worker(shared, threads).run(run, alpha, ProgressListener())
