"""Made-up experiments whose truth is known, for tests of what is said of them."""

import numpy as np

from geoprobe.training.data.leaks import Leak, LeakReport, TaskLeaks
from geoprobe.training.outcome import TaskFacts, TrainedModel, TrainingFacts
from geoprobe.training.records import BaseFacts, LayerCurvature, RunFacts
from geoprobe.training.report.result import ComparisonResult, make_result

HOSTILE = "<script>alert(1)</script>\u202e\u0000](javascript:x) #import"
HELD_OUT = 40
TASKS = (("addsub", "AddSub", 120), ("mawps", "MAWPS", 80), ("svamp", "SVAMP", 100))


def marks(right: np.ndarray) -> str:
    return "".join("01"[int(answer)] for answer in right)


def make_record(
    method: str, seed: int, gain: float, *, tasks=TASKS, accuracy: float = 0.3, purpose="final", rate=3e-4
) -> RunFacts:
    """A run that answers each question right with probability accuracy + gain; questions are equally hard for all."""
    hard = np.random.default_rng(7)
    luck = np.random.default_rng((seed, len(method), 11))
    answered = {}
    for name, _, count in tasks:
        threshold = hard.random(count)
        shaken = (threshold + 0.2 * luck.standard_normal(count)) % 1
        answered[name] = marks(shaken < accuracy + gain)
    steps = range(1, 61)
    noise = luck.normal(0, 0.08, 60)
    curve = tuple((step, float(0.6 + 1.2 / step**0.5 + noise[step - 1] - gain / 5)) for step in steps)
    loss = 0.8 - gain / 5 + float(luck.normal(0, 0.004)) + abs(np.log10(rate / 3e-4)) / 20
    examples = np.random.default_rng(8).normal(0, 0.3, HELD_OUT) + luck.normal(0, 0.005, HELD_OUT)
    modules = [f"model.layers.{layer}.self_attn.{kind}" for layer in range(6) for kind in ("q_proj", "v_proj")]
    hyperbolic = method == "hyplora"
    return RunFacts(
        method=method,
        seed=seed,
        learning_rate=rate,
        purpose=purpose,
        status="finished",
        steps=60,
        train_losses=curve,
        validation_losses=tuple((step, curve[step - 1][1] + 0.05) for step in (20, 40, 60)),
        validation_loss=loss,
        gradient_norm=0.29,
        unmatched_gradient_norm=0.014 if hyperbolic else 0.29,
        alpha=(390.0 if purpose == "alpha" else 640.0) if hyperbolic else 64.0,
        other_alpha=390.0 if hyperbolic else None,
        trainable_parameters=4_884_480 + 60 * hyperbolic,
        geometry_parameters=60 * hyperbolic,
        tokens=60_000,
        seconds=400.0 + 50 * hyperbolic + seed,
        evaluation_seconds=120.0,
        peak_memory=2 * 2**30,
        curvatures=tuple(LayerCurvature(name, 1.0, 1.0 + 0.02 * at, 24.0) for at, name in enumerate(modules))
        if hyperbolic
        else (),
        hidden_delta={name: 0.2 - 0.01 * hyperbolic for name, _, _ in tasks},
        rights=answered if purpose == "final" else {},
        unread=dict.fromkeys(answered, 0) if purpose == "final" else {},
        adapter=f"runs/{method}-{seed}/adapter",
        held_out_losses=tuple((loss + examples).tolist()),
    )


def make_experiment(
    *,
    methods=("lora", "hyplora"),
    seeds=(0, 1, 2),
    gain: float = 0.0,
    at_other_alpha: float | None = None,
    accuracy: float = 0.3,
    tasks=TASKS,
    hostile: bool = False,
    leaks: LeakReport | None = None,
    failed=(),
    scan=None,
) -> ComparisonResult:
    """An experiment in which every method but the first gains so much accuracy, and at another alpha so much."""
    records = [
        make_record(method, 0, 0, tasks=tasks, purpose="sweep", rate=rate)
        for method in methods
        for rate in (1e-4, 3e-4, 1e-3)
    ]
    for method in methods:
        for seed in seeds:
            if (method, seed) in failed:
                why = HOSTILE if hostile else "The loss is NaN at step 7."
                records.append(RunFacts(method, seed, 3e-4, "final", status="failed", error=why, steps=7))
            else:
                lift = gain if method != methods[0] else 0.0
                records.append(make_record(method, seed, lift, tasks=tasks, accuracy=accuracy))
                if at_other_alpha is not None and method != methods[0]:
                    records.append(make_record(method, seed, at_other_alpha, tasks=tasks, purpose="alpha"))
    base = BaseFacts(
        {name: marks(np.random.default_rng(1).random(count) < accuracy / 6) for name, _, count in tasks},
        {},
        {name: 0.22 for name, _, _ in tasks},
        1.9,
    )
    called = HOSTILE if hostile else None
    return make_result(
        model=TrainedModel(called or "demo", called or "SmolLM2 135M Instruct", "llama", 134_515_008, "float32", "cpu"),
        training=TrainingFacts(
            called or "gsm8k/train.jsonl", 7393, HELD_OUT, "ab" * 32, called or "GSM8K's form.", 40, (50,) * HELD_OUT
        ),
        tasks=[
            TaskFacts(name, called or title, "number", count, count + 20, "cd" * 32, called or "")
            for name, title, count in tasks
        ],
        setup={"rank": 32, "alpha": 64.0, "batch": 8, "note": called or "none"},
        methods=methods,
        base=base,
        runs=records,
        leaks=leaks or LeakReport((), tuple(TaskLeaks(name, count, 0, 0) for name, _, count in tasks)),
        scan=scan,
        versions={"geoprobe": "0.3.0", "torch": "2.5"},
        seed=3,
        command=called or "geoprobe finetune demo --train gsm8k --eval addsub,mawps,svamp",
    )


def leaky() -> LeakReport:
    """Two questions of AddSub are in the training data."""
    found = (Leak("addsub/3", 17, "exact", 1.0), Leak("addsub/9", 21, "near", 0.7))
    return LeakReport(
        found, (TaskLeaks("addsub", 120, 1, 1), TaskLeaks("mawps", 80, 0, 0), TaskLeaks("svamp", 100, 0, 0))
    )
