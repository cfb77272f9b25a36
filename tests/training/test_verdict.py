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


#: Differences in loss of three seeds that are told from luck in either direction, or not at all.
DIFFERENCES = {
    "helps": (-0.10, -0.11, -0.09),
    "no detectable difference": (0.02, -0.03, 0.01),
    "hurts": (0.10, 0.09, 0.11),
}


def at_two_alphas(first: str, other: str, method: str = "hyplora") -> list[RunFacts]:
    """Final runs of LoRA and a method, and the method at another alpha."""
    made = [marked("lora", seed, {}, 0.8) for seed in range(3)]
    for seed in range(3):
        final = dataclasses.replace(marked(method, seed, {}, 0.8 + DIFFERENCES[first][seed]), alpha=57.0)
        again = marked(method, seed, {}, 0.8 + DIFFERENCES[other][seed])
        made += [
            dataclasses.replace(final, other_alpha=39.0),
            dataclasses.replace(again, purpose="alpha", alpha=39.0, other_alpha=39.0),
        ]
    return made


@pytest.mark.parametrize("other", DIFFERENCES)
@pytest.mark.parametrize("first", DIFFERENCES)
def test_a_verdict_on_loss_that_another_alpha_does_not_share_depends_on_alpha(first: str, other: str) -> None:
    """All combinations; the labels of each alpha are those that the same losses get by themselves."""
    made = at_two_alphas(first, other)
    (found,) = compare_runs(made, ("lora", "hyplora"), NAMES, held_out_tokens=TOKENS)
    assert found.loss_label == (first if first == other else "depends on alpha")
    check = found.alpha_check
    assert check is not None
    assert (check.label, check.other_label, check.alpha, check.other_alpha) == (first, other, 57.0, 39.0)
    assert check.loss.value == pytest.approx(np.mean(DIFFERENCES[other]))
    finals = [run for run in made if run.purpose == "final"]
    (alone,) = compare_runs(finals, ("lora", "hyplora"), NAMES, held_out_tokens=TOKENS)
    assert (alone.loss_label, alone.loss, alone.alpha_check) == (first, found.loss, None)


@pytest.mark.parametrize("lost", [{"status": "failed"}, {"held_out_losses": ()}, {"purpose": "sweep"}])
def test_an_alpha_that_was_not_tried_with_every_seed_says_nothing(lost: dict[str, object]) -> None:
    made = at_two_alphas("helps", "hurts")
    made[-1] = dataclasses.replace(made[-1], **lost)  # type: ignore[arg-type]
    (found,) = compare_runs(made, ("lora", "hyplora"), NAMES, held_out_tokens=TOKENS)
    assert (found.loss_label, found.alpha_check) == ("helps", None)


def test_where_both_matchings_give_one_alpha_the_final_runs_are_the_check() -> None:
    made = [dataclasses.replace(run, alpha=39.0) for run in at_two_alphas("helps", "hurts") if run.purpose == "final"]
    (found,) = compare_runs(made, ("lora", "hyplora"), NAMES, held_out_tokens=TOKENS)
    assert found.loss_label == "helps"
    assert found.alpha_check is not None
    assert found.alpha_check.loss == found.loss


def test_losses_at_the_other_alpha_are_corrected_over_the_methods_too() -> None:
    made = at_two_alphas("helps", "helps")
    made += [run for run in at_two_alphas("hurts", "no detectable difference", "dora") if run.method == "dora"]
    found = compare_runs(made, ("lora", "dora", "hyplora"), NAMES, held_out_tokens=TOKENS)
    assert [one.loss_label for one in found] == ["depends on alpha", "helps"]
    raw = [one.alpha_check.loss.pvalue or 0.0 for one in found if one.alpha_check]
    labels = ["no detectable difference" if p > 0.05 else "helps" for p in holm(raw)]
    assert [one.alpha_check.other_label for one in found if one.alpha_check] == labels


#: Nats a token: of a seed's own luck, of its luck at one alpha, of an example's and of both.
LUCK = {"seed": 0.004, "alpha": 0.003, "example": 0.03, "both": 0.05}


def simulated(true: tuple[float, float], rng: np.random.Generator, seeds: int = 3) -> tuple[str, str]:
    """The verdict on loss with and without a check of alpha, where the method truly differs so at each matching."""
    examples = rng.normal(0, LUCK["example"], 40)
    made = [marked("lora", seed, {}) for seed in range(seeds)]
    made = [dataclasses.replace(run, held_out_losses=(0.0,) * 40) for run in made]
    for seed in range(seeds):
        own = rng.normal(0, LUCK["seed"])
        for purpose, difference in zip(("final", "alpha"), true, strict=True):
            luck = own + rng.normal(0, LUCK["alpha"])
            losses = difference + luck + examples + rng.normal(0, LUCK["both"], 40)
            run = RunFacts("hyplora", seed, 3e-4, purpose, "finished", held_out_losses=tuple(losses.tolist()))
            made.append(run)
    (found,) = compare_runs(made, ("lora", "hyplora"), (), held_out_tokens=(50,) * 40)
    assert found.alpha_check is not None
    return found.loss_label, found.alpha_check.label


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 6])
def test_checking_alpha_makes_false_verdicts_rarer_and_keeps_true_ones(seeds: int) -> None:
    """Simulated experiments: no difference, one at both matchings, one at the first alone, and opposite ones."""
    rng, count = np.random.default_rng(0), 80

    def shares(*true: float) -> tuple[dict[str, float], dict[str, float]]:
        checked, alone = zip(*(simulated((true[0], true[1]), rng, seeds) for _ in range(count)), strict=True)
        names = {*checked, *alone}
        return tuple({name: labels.count(name) / count for name in names} for labels in (checked, alone))  # type: ignore[return-value]

    checked, alone = shares(0, 0)
    false = [sum(found.get(label, 0) for label in ("helps", "hurts")) for found in (checked, alone)]
    assert false[0] <= false[1] <= stats.binom.ppf(0.999, count, 0.05) / count
    checked, alone = shares(-0.05, -0.05)
    assert checked["helps"] >= alone["helps"] - 0.1 > 0.8
    checked, alone = shares(-0.05, 0)
    assert checked.get("helps", 0) <= 0.1 < 0.8 < alone["helps"]
    checked, _ = shares(-0.05, 0.05)
    assert checked["depends on alpha"] >= 0.9


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
