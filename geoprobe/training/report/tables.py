"""The tables of an experiment's report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean, median
from typing import Literal

from geoprobe.report.text import escape
from geoprobe.results import Cell, Table
from geoprobe.training.outcome import Outcome
from geoprobe.training.protocol import beside_paper
from geoprobe.training.records import LayerCurvature, RunFacts
from geoprobe.training.report.words import name, percent, points
from geoprobe.training.verdict import ALL, MethodComparison, SetDifference

_LEAKS_SHOWN = 200


def accuracy_tables(result: Outcome) -> Iterator[Table]:
    """Differences by set, accuracy by run, and McNemar's test by seed."""
    called = result.titles
    rows: list[tuple[Cell, ...]] = []
    tests: list[tuple[Cell, ...]] = []
    for compared in result.comparisons:
        for one in (compared.overall, *compared.tasks):
            if one is not None:
                of = "all sets" if one.task == ALL else called.get(one.task, one.task)
                rows.append(_difference_row(compared, one, of))
                for of_seed in one.tests:
                    test = of_seed.test
                    counts = (test.only_reference, test.only_method, test.pvalue)
                    tests.append((name(compared.method), of, str(of_seed.seed), *counts))
    columns = (
        "method",
        "set",
        "questions",
        "reference %",
        "method %",
        "difference",
        "low",
        "high",
        "verdict",
        "p (Holm)",
        "80% power",
        "less than",
    )
    yield Table(
        "differences",
        "Differences in accuracy",
        columns,
        tuple(rows),
        "In percent and percentage points: the mean over seeds of the reference and of the method, the method's less "
        "the reference's, its 95% interval; p over all single sets (and over methods) corrected by Holm; the "
        "true difference that four of five such experiments would find (80% power, estimated); and the bound that the "
        "true difference is smaller than, in either direction, with 95% confidence.",
    )
    yield _by_run(result, called)
    yield from _likelihoods(result, called)
    yield from _rules(result, called)
    yield Table(
        "mcnemar",
        "McNemar's exact test, seed by seed",
        ("method", "set", "seed", "only reference right", "only method right", "p"),
        tuple(tests),
        "Questions that one of the two runs of a seed answers right and the other wrong. A p below 0.05 says that "
        "these two runs differ, which another seed need not repeat; not corrected.",
    )


def _rules(result: Outcome, called: dict[str, str]) -> Iterator[Table]:
    """Which rule read how many answers, of all final runs of a method."""
    rows: list[tuple[Cell, ...]] = []
    for task in result.tasks:
        for method in result.methods:
            runs = result.final(method)
            counts: Counter[str] = Counter()
            for run in runs:
                counts.update(run.read_by.get(task.name, {}))
            if counts:
                listed = ", ".join(f"{rule} {count:,}" for rule, count in counts.most_common())
                unread = sum(run.unread.get(task.name, 0) for run in runs)
                rows.append((called[task.name], name(method), escape(listed, 300), unread))
    note = "Of all seeds. A rule is tried where those before it found nothing: see how this was measured."
    yield Table("rules", "What read the answers", ("set", "method", "rule and answers", "not read"), tuple(rows), note)


def _difference_row(compared: MethodComparison, one: SetDifference, of: str) -> tuple[Cell, ...]:
    difference = one.difference
    return (
        name(compared.method),
        of,
        difference.questions,
        points(one.reference_accuracy),
        points(one.method_accuracy),
        points(difference.value, sign=True),
        _points(difference.low),
        _points(difference.high),
        one.label,
        one.corrected,
        _points(None if difference.detectable is None or difference.detectable >= 1 else difference.detectable),
        _points(None if difference.equivalent is None or difference.equivalent >= 1 else difference.equivalent),
    )


def _points(share: float | None) -> str:
    return "–" if share is None else points(share)


def _by_run(result: Outcome, called: dict[str, str]) -> Table:
    note = "Percent of questions answered right; the last column counts all questions alike (micro-average)."
    shares = _shares(result, [task.name for task in result.tasks], called, "rights")
    return Table("runs", "Accuracy by run", *shares, note)


def _shares(
    result: Outcome, sets: Sequence[str], called: dict[str, str], of: Literal["rights", "likelihood_rights"]
) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """Columns and rows of the share of each set that is right, before training and by final run."""
    before = getattr(result.base, of)
    rows = [("before training", "", *_percents(before, sets))] if before else []
    rows += [(name(run.method), str(run.seed), *_percents(getattr(run, of), sets)) for run in result.final()]
    return ("method", "seed", *(called[task] for task in sets), "all"), tuple(rows)


def _percents(rights: dict[str, str], sets: Sequence[str]) -> tuple[Cell, ...]:
    marks = [rights.get(task, "") for task in sets]
    shares = [_points(row.count("1") / len(row) if row else None) for row in marks]
    every = "".join(marks)
    return (*shares, _points(every.count("1") / len(every) if every else None))


def _likelihoods(result: Outcome, called: dict[str, str]) -> Iterator[Table]:
    sets = [task.name for task in result.tasks if any(task.name in run.likelihood_rights for run in result.final())]
    if not sets:
        return
    yield Table(
        "likelihoods",
        "Accuracy of the likeliest option",
        *_shares(result, sets, called, "likelihood_rights"),
        "Percent of questions whose right option has the highest log-likelihood a token: what the model prefers, "
        "whether or not it can say so. Not part of the verdict.",
    )


def loss_tables(result: Outcome) -> Iterator[Table]:
    """Final runs, the sweep, and what failed."""
    rows = tuple(
        (
            name(run.method),
            str(run.seed),
            f"{run.learning_rate:g}",
            run.steps,
            run.validation_loss,
            run.gradient_norm,
            run.unmatched_gradient_norm,
            run.alpha,
        )
        for run in result.final()
    )
    columns = ("method", "seed", "learning rate", "steps", "validation loss", "gradient norm", "unmatched", "alpha")
    note = (
        "Gradient norm: of all B matrices at step 0 over the same batch, at the alpha of the training; unmatched: at "
        "the alpha that was asked for. A matched alpha gives the median layer the first method's gradient norm."
    )
    if result.base.validation_loss is not None:
        note += f" Loss before training: {result.base.validation_loss:.3f}."
    yield Table("runs", "Runs", columns, rows, note)
    yield _matchings(result)
    sweep = tuple(
        (name(run.method), f"{run.learning_rate:g}", str(run.seed), run.steps, run.validation_loss)
        for run in result.runs
        if run.purpose == "sweep" and run.status == "finished"
    )
    yield Table(
        "sweep", "Sweep of learning rates", ("method", "learning rate", "seed", "steps", "validation loss"), sweep
    )
    failed = tuple(
        (name(run.method), run.purpose, str(run.seed), f"{run.learning_rate:g}", run.steps, run.error or "")
        for run in result.runs
        if run.status == "failed"
    )
    yield Table("failed", "Runs that failed", ("method", "purpose", "seed", "learning rate", "steps", "why"), failed)


def _matchings(result: Outcome) -> Table:
    """The difference in loss at each matching of alpha, where both were tried."""
    rows: list[tuple[Cell, ...]] = []
    for compared in result.comparisons:
        check = compared.alpha_check
        if compared.loss is not None and check is not None:
            for by, alpha, loss, label in (
                ("median layer", check.alpha, compared.loss, check.label),
                ("all layers' norm", check.other_alpha, check.loss, check.other_label),
            ):
                rows.append((name(compared.method), by, alpha, loss.value, loss.low, loss.high, label))
    return Table(
        "matchings",
        "Difference in loss at two matchings of alpha",
        ("method", "alpha matched by", "alpha", "difference", "low", "high", "verdict"),
        tuple(rows),
        "Method less reference, in nats a token, with its 95% interval; alpha is a mean over the seeds. Trained again "
        "with the same seeds at the same rate, and not asked any question.",
    )


def geometry_tables(result: Outcome) -> Iterator[Table]:
    """δ by set, and the learned curvatures."""
    called = result.titles
    sets = [task.name for task in result.tasks if task.name in result.base.hidden_delta]
    after = {method: result.final(method) for method in result.methods}
    rows: list[tuple[Cell, ...]] = []
    for task in sets:
        means = [_mean([run.hidden_delta[task] for run in runs if task in run.hidden_delta]) for runs in after.values()]
        rows.append((called[task], result.base.hidden_delta[task], *means))
    yield Table(
        "deltas",
        "Relative δ of the final hidden layer",
        ("set", "before training", *map(name, result.methods)),
        tuple(rows),
        "Means over prompts and seeds. In the paper HypLoRA's are mostly the lowest, by 0.01 to 0.1.",
    )
    kept: list[tuple[Cell, ...]] = []
    for method, runs in after.items():
        for kind, layers in sorted(_by_kind(runs).items()):
            last = [layer.end for layer in layers]
            radii = [layer.scale for layer in layers if layer.scale is not None]
            beyond = [layer.beyond for layer in layers if layer.beyond is not None]
            kept.append(
                (
                    name(method),
                    kind,
                    len(layers),
                    median(layer.start for layer in layers),
                    median(last),
                    min(last),
                    max(last),
                    median(radii) if radii else None,
                    percent(fmean(beyond)) if beyond else "",
                )
            )
    columns = ("method", "module", "adapters", "K at start", "median K", "lowest", "highest", "radius", "beyond")
    yield Table(
        "curvatures",
        "Learned curvature by kind of module",
        columns,
        tuple(kept),
        "The curvature is −1/K. Radius: median √K in the units of the module's input; inputs much shorter than it "
        "see a flat space. Beyond: share of the first batch's tokens that are longer than the maps are exact for, at "
        "the start; their maps go on straight.",
    )


def _by_kind(runs: Sequence[RunFacts]) -> dict[str, list[LayerCurvature]]:
    kinds: dict[str, list[LayerCurvature]] = defaultdict(list)
    for run in runs:
        for layer in run.curvatures:
            kinds[layer.layer.rpartition(".")[2]].append(layer)
    return kinds


def cost_table(result: Outcome) -> Table:
    """What a run of each method costs."""
    rows: list[tuple[Cell, ...]] = []
    for method in result.methods:
        runs = result.final(method)
        if runs:
            rows.append(
                (
                    name(method),
                    runs[0].trainable_parameters,
                    runs[0].geometry_parameters,
                    _mean([run.tokens_per_second for run in runs]),
                    _mean([run.seconds for run in runs]),
                    _mean([run.evaluation_seconds for run in runs]),
                    max(run.peak_memory for run in runs) / 2**30,
                )
            )
    columns = ("method", "parameters", "of them geometry", "tokens/s", "training s", "evaluation s", "peak GiB")
    note = "A final run: means over seeds, and the highest peak of memory. Geometry: curvatures and scales."
    return Table("cost", "Cost of a run", columns, tuple(rows), note)


def leak_tables(result: Outcome) -> Iterator[Table]:
    """Test questions found among the training data."""
    if result.leaks is None:
        return
    called = result.titles
    rows = tuple((called.get(t.task, t.task), t.questions, t.exact, t.near) for t in result.leaks.tasks)
    yield Table("leaks", "Test questions in the training data", ("set", "looked for", "word for word", "nearly"), rows)
    listed = tuple(
        (leak.question, leak.training, leak.place, leak.kind, leak.overlap)
        for leak in result.leaks.leaks[:_LEAKS_SHOWN]
    )
    cut = len(result.leaks.leaks) - len(listed)
    yield Table(
        "leaked",
        "Each of them",
        ("question", "training example", "in its", "found", "overlap"),
        tuple((escape(question), *rest) for question, *rest in listed),
        f"The first {len(listed):,}; the JSON has {cut:,} more." if cut else "",
    )


def protocol_table(result: Outcome) -> Table:
    """Every choice of the paper beside the experiment's."""
    rows = tuple(
        (one.what, one.paper, escape(one.here, 120), "yes" if one.same else "no") for one in beside_paper(result.setup)
    )
    note = "Where the paper is silent, what its released scripts do."
    return Table("protocol", "The paper's protocol and this one", ("choice", "paper", "here", "the same"), rows, note)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
