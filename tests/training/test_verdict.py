import dataclasses

import numpy as np
import pytest
from experiment_builders import TASKS, make_experiment, make_record
from scipy import stats

from geoprobe.stats.multiplicity import holm
from geoprobe.training.records import RunFacts
from geoprobe.training.verdict import ALL, compare_runs

NAMES = [name for name, _, _ in TASKS]


def runs(gain: float, *, seeds: int = 4, method: str = "hyplora") -> list[RunFacts]:
    return [make_record(name, seed, gain * (name == method)) for name in ("lora", method) for seed in range(seeds)]


TOKENS = (20, 30, 50, 40, 10, 60)


def marked(method: str, seed: int, rights: dict[str, str], loss: float | None = None) -> RunFacts:
    losses = () if loss is None else tuple(loss + 0.1 * example for example in range(len(TOKENS)))
    return RunFacts(
        method, seed, 3e-4, "final", "finished", rights=rights, validation_loss=loss, held_out_losses=losses
    )


def test_a_large_gain_helps_and_its_opposite_hurts() -> None:
    (better,) = compare_runs(runs(0.3), ("lora", "hyplora"), NAMES)
    (worse,) = compare_runs(runs(0.3), ("hyplora", "lora"), NAMES)
    assert (better.label, worse.label) == ("helps", "hurts")
    assert better.overall is not None
    assert worse.overall is not None
    assert better.overall.difference.value == pytest.approx(-worse.overall.difference.value)


def test_no_gain_is_no_detectable_difference_with_what_could_have_been_seen() -> None:
    (found,) = compare_runs(runs(0.0), ("lora", "hyplora"), NAMES)
    assert found.label == "no detectable difference"
    assert found.overall is not None
    assert found.overall.difference.detectable is not None
    assert found.overall.difference.detectable > 0


def test_the_overall_difference_counts_every_question_alike() -> None:
    """The paper's micro-average: over questions and not over sets."""
    rights = [{"addsub": "1100", "mawps": "0"}, {"addsub": "1111", "mawps": "0"}]
    made = [marked(method, seed, rights[place]) for place, method in enumerate(("lora", "hyplora")) for seed in (0, 1)]
    (found,) = compare_runs(made, ("lora", "hyplora"), ["addsub", "mawps"])
    assert found.overall is not None
    assert (found.overall.task, found.overall.difference.questions) == (ALL, 5)
    assert found.overall.difference.value == pytest.approx(2 / 5)
    assert [one.difference.value for one in found.tasks] == [0.5, 0.0]
    assert (found.overall.reference_accuracy, found.overall.method_accuracy) == (2 / 5, 4 / 5)


def test_the_single_sets_are_corrected_together_by_holm() -> None:
    made = runs(0.12) + [run for run in runs(0.05, method="dora") if run.method == "dora"]
    found = compare_runs(made, ("lora", "dora", "hyplora"), NAMES)
    sets = [one for each in found for one in each.tasks]
    raw = [one.difference.pvalue or 0.0 for one in sets]
    assert [one.corrected for one in sets] == pytest.approx(holm(raw))
    assert [each.overall.corrected for each in found if each.overall] == pytest.approx(
        holm([each.overall.difference.pvalue or 0.0 for each in found if each.overall])
    )
    assert all(one.label == "no detectable difference" for one in sets if (one.corrected or 0) > 0.05)


def test_mcnemars_test_is_made_for_every_seed_as_by_scipy() -> None:
    (found,) = compare_runs(runs(0.1), ("lora", "hyplora"), NAMES)
    one = found.tasks[0]
    assert [each.seed for each in one.tests] == [0, 1, 2, 3]
    for each in one.tests:
        discordant = each.test.only_reference + each.test.only_method
        expected = stats.binomtest(each.test.only_method, discordant, 0.5).pvalue
        assert each.test.pvalue == pytest.approx(expected)


def test_a_lower_validation_loss_helps() -> None:
    losses = [[0.80, 0.81, 0.79], [0.70, 0.712, 0.689]]
    made = [marked(m, s, {}, losses[p][s]) for p, m in enumerate(("lora", "hyplora")) for s in range(3)]
    (found,) = compare_runs(made, ("lora", "hyplora"), NAMES, held_out_tokens=TOKENS)
    assert found.loss is not None
    assert found.loss_label == "helps"
    assert (found.loss.seeds, found.loss.questions) == (3, 6)
    # all examples differ alike, so seeds make all the noise
    interval = stats.ttest_rel(losses[1], losses[0]).confidence_interval()
    assert (found.loss.low, found.loss.high) == (
        pytest.approx(interval.low, rel=0.02),
        pytest.approx(interval.high, rel=0.02),
    )
    assert found.label == "no verdict"  # nothing was asked
    (back,) = compare_runs(made, ("hyplora", "lora"), NAMES, held_out_tokens=TOKENS)
    assert back.loss_label == "hurts"


def test_losses_whose_examples_were_not_kept_are_not_compared() -> None:
    made = [dataclasses.replace(run, held_out_losses=()) for run in runs(0.3)]
    (found,) = compare_runs(made, ("lora", "hyplora"), NAMES, held_out_tokens=TOKENS)
    assert (found.loss, found.loss_label) == (None, "no verdict")


def test_one_seed_never_helps() -> None:
    made = [marked("lora", 0, {"addsub": "0" * 100}, 2.0), marked("hyplora", 0, {"addsub": "1" * 100}, 0.1)]
    (found,) = compare_runs(made, ("lora", "hyplora"), ["addsub"], held_out_tokens=TOKENS)
    assert (found.label, found.loss_label) == ("no detectable difference", "no detectable difference")
    assert found.overall is not None
    assert found.overall.difference.detectable is None


def test_where_nothing_is_right_nothing_is_detected() -> None:
    made = [marked(method, seed, {"addsub": "0" * 50}) for method in ("lora", "hyplora") for seed in range(3)]
    (found,) = compare_runs(made, ("lora", "hyplora"), ["addsub"])
    assert found.label == "no detectable difference"
    assert found.overall is not None
    assert found.overall.difference.detectable is not None
    assert found.overall.difference.detectable > 0.02


def test_a_failed_run_takes_its_seed_out_and_no_other() -> None:
    made = runs(0.3)
    failed = [
        dataclasses.replace(run, status="failed") if (run.method, run.seed) == ("hyplora", 2) else run for run in made
    ]
    (found,) = compare_runs(failed, ("lora", "hyplora"), NAMES)
    assert found.seeds == (0, 1, 3)
    assert found.label == "helps"


def test_without_a_seed_that_both_finished_there_is_no_verdict() -> None:
    made = [run for run in runs(0.3) if (run.method == "lora") == (run.seed < 2)]
    (found,) = compare_runs(made, ("lora", "hyplora"), NAMES)
    assert (found.label, found.overall, found.loss, found.tasks) == ("no verdict", None, None, ())


def test_a_set_that_a_run_did_not_answer_is_left_out() -> None:
    made = runs(0.0)
    made[0] = dataclasses.replace(made[0], rights={**made[0].rights, "mawps": "101"})
    (found,) = compare_runs(made, ("lora", "hyplora"), NAMES)
    assert [one.task for one in found.tasks] == ["addsub", "svamp"]


def test_sweeps_are_not_compared() -> None:
    made = [dataclasses.replace(run, purpose="sweep") for run in runs(0.3)]
    (found,) = compare_runs(made, ("lora", "hyplora"), NAMES)
    assert found.label == "no verdict"


@pytest.mark.slow
def test_an_experiment_without_a_difference_says_so_nineteen_times_in_twenty() -> None:
    """The whole verdict with two methods against the reference: Holm keeps both together at 5%."""
    rng = np.random.default_rng(0)
    alarms = 0
    for repetition in range(300):
        hard = rng.random(150)
        made = []
        for method in ("lora", "dora", "hyplora"):
            for seed in range(3):
                right = (hard + rng.normal(0, 0.15, 150) + rng.normal(0, 0.05)) < 0.35
                made.append(marked(method, seed, {"addsub": "".join("01"[int(each)] for each in right)}))
        found = compare_runs(made, ("lora", "dora", "hyplora"), ["addsub"], seed=repetition)
        alarms += any(each.label in ("helps", "hurts") for each in found)
    assert alarms <= stats.binom.ppf(0.999, 300, 0.05)


def test_the_experiment_builder_gives_what_its_name_says() -> None:
    assert make_experiment(gain=0.3)["hyplora"].label == "helps"
