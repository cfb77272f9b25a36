"""Where runs are done: here one after the other, or spread over a Ray cluster, with the same results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch

from geoprobe.errors import GeoprobeError, UsageError
from geoprobe.sources.ray_cluster import ray_cluster, result
from geoprobe.training.experiment import Experiment, Start, Workbench, failed_record
from geoprobe.training.records import RunRecord
from geoprobe.training.runs import Run
from geoprobe.training.scale import Scale
from geoprobe.training.told import QUESTION, Nobody, Told
from geoprobe.training.trainer import StorageError

__all__ = ["ENGINES", "Engine", "open_engine"]

ENGINES = ("local", "ray")


class Engine(Protocol):
    """Does what an experiment consists of."""

    def start(self) -> Start:
        """Everything before the first training."""

    def runs(self, runs: Sequence[tuple[Run, Scale]]) -> Iterator[RunRecord]:
        """Records of runs, in their order."""


@contextmanager
def open_engine(name: str, experiment: Experiment, told: Told) -> Iterator[Engine]:
    """An engine for the time of an experiment.

    Parameters
    ----------
    name : {"local", "ray"}
        Here, or on the cluster that RAY_ADDRESS names (without it, a Ray of this machine's own).
    experiment : Experiment
        Its folder must have the same path on every node.
    told : Told
        Told how it goes.

    Raises
    ------
    UsageError
        When there is no such engine.
    NotFoundError
        When Ray is asked for and not installed.
    """
    if name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}.", f"Give one of {', '.join(ENGINES)}.")
    if name == "local":
        yield _Local(experiment, told)
        return
    with ray_cluster() as ray:
        yield _Ray(experiment, told, ray)


class _Local:
    def __init__(self, experiment: Experiment, told: Told) -> None:
        self._bench = Workbench.of(experiment)
        self._told = told

    def start(self) -> Start:
        return self._bench.start(self._told)

    def runs(self, runs: Sequence[tuple[Run, Scale]]) -> Iterator[RunRecord]:
        for run, scale in runs:
            yield self._bench.record(run, scale, self._told)


class _Ray:
    """Every task loads the model once in its worker, with this process's number of threads and folder."""

    def __init__(self, experiment: Experiment, told: Told, ray: Any) -> None:
        self._experiment, self._told, self._ray = experiment, told, ray
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
        self._told.run("the model before training", 1, self._experiment.questions * QUESTION)
        started: Start = result(self._ray, self._ray.remote(**self._task)(_start).remote(self._shared, self._threads))
        self._told.advance(1)
        return started

    def runs(self, runs: Sequence[tuple[Run, Scale]]) -> Iterator[RunRecord]:
        task = self._ray.remote(**self._task)(_record)
        waiting = [task.remote(self._shared, run, scale, self._threads) for run, scale in runs]
        for (run, scale), each in zip(runs, waiting, strict=True):
            asked = self._experiment.questions if run.purpose == "final" else 0
            self._told.run(run.title, 1, run.steps + asked * QUESTION)
            try:
                record: RunRecord = result(self._ray, each)
            except StorageError:
                raise
            except GeoprobeError as error:  # the worker died
                record = failed_record(run, scale, error)
                self._experiment.store.save(run, record)
            self._told.advance(1)
            self._told.finished(record)
            yield record


@lru_cache(maxsize=1)
def _bench(shared: tuple[Experiment, Path], threads: int) -> Workbench:
    """The worker's own, its model loaded once."""
    experiment, folder = shared
    torch.set_num_threads(threads)
    with suppress(OSError):  # the model's path may be relative to where the experiment was asked for
        os.chdir(folder)
    return Workbench.of(experiment)


def _start(shared: tuple[Experiment, Path], threads: int) -> Start:
    return _bench(shared, threads).start(Nobody())


def _record(shared: tuple[Experiment, Path], run: Run, scale: Scale, threads: int) -> RunRecord:
    return _bench(shared, threads).record(run, scale, Nobody())
