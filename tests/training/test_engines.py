"""Runs on Ray give what runs here give."""

from collections.abc import Callable
from typing import Any

import pytest

from geoprobe.errors import UsageError
from geoprobe.training.engines import open_engine
from geoprobe.training.experiment import Experiment, final_runs, sweep_runs
from geoprobe.training.progress import ProgressListener
from geoprobe.training.records import RunFacts

MEASURED = {"seconds": 0.0, "evaluation_seconds": 0.0, "peak_memory": 0}


def _all_records(engine: str, experiment: Experiment) -> tuple[Any, list[RunFacts]]:
    setup = experiment.setup
    with open_engine(engine, experiment, ProgressListener()) as works:
        start = works.start()
        alphas = {(alpha.method, alpha.seed): alpha for alpha in start.alphas}
        runs = (
            *sweep_runs(setup, start.training.examples),
            *final_runs(setup, dict.fromkeys(setup.methods, setup.rates[0]), start.training.examples),
        )
        return start, list(works.runs([(run, alphas[run.method, run.seed]) for run in runs]))


def _comparable(record: Any) -> Any:
    from dataclasses import replace

    return replace(record, **{name: value for name, value in MEASURED.items() if hasattr(record, name)})


def test_ray_gives_the_same_records(two_workers: None, experiment: Callable[..., Experiment]) -> None:
    from dataclasses import replace

    made = experiment(seeds=(0, 1), rates=(1e-2, 1e-3), sweep_steps=2, validate_every=0)
    here, records = _all_records("local", made)
    there, spread = _all_records("ray", replace(made, out=made.out.with_name("ray")))
    assert [_comparable(record) for record in records] == [_comparable(record) for record in spread]
    assert len(records) == 8
    assert _comparable(here.base) == _comparable(there.base)
    assert (here.model, here.alphas, here.training) == (there.model, there.alphas, there.training)
    assert {record.status for record in spread} == {"finished"}


def test_a_run_that_fails_on_ray_does_not_lose_the_others(
    two_workers: None, experiment: Callable[..., Experiment]
) -> None:
    made = experiment(methods=("lora",), rates=(1e30, 1e-2), sweep_steps=4, clip=1e30, validate_every=0)
    _, records = _all_records("ray", made)
    assert [record.status for record in records] == ["failed", "finished", "failed"]
    assert "at step" in (records[0].error or "")


def test_an_unknown_engine_is_refused(experiment: Callable[..., Experiment]) -> None:
    with pytest.raises(UsageError, match="no engine 'dask'"), open_engine("dask", experiment(), ProgressListener()):
        pass
