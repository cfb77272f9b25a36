"""The figures of an experiment's report."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import fmean, median

from geoprobe.figure import Axis, Figure, Forest, Layer, Line, Points, Role, Rule, floats
from geoprobe.report.text import escape
from geoprobe.training.outcome import Outcome
from geoprobe.training.records import LayerCurvature, RunFacts
from geoprobe.training.report.words import name

_ROLES: tuple[Role, ...] = ("data", "fit", "alternative", "null")
_DEPTH = re.compile(r"(?:^|\.)(\d+)(?=\.)")
#: Points of a training curve: more are averaged, so that the noise of single batches does not hide it.
_CURVE_POINTS = 30
_MOST_TICKS = 5


def depth(module: str) -> int:
    """The layer that a module is in: the first number in its name."""
    match = _DEPTH.search(module)
    return int(match[1]) if match else 0


def accuracy_figures(result: Outcome) -> Iterator[Figure]:
    """Differences with their intervals, and the accuracies themselves."""
    compared = [
        method
        for method in result.comparisons
        if method.overall is not None and method.overall.difference.low is not None
    ]
    called = result.titles
    if compared:
        rows = ("all sets", *(called.get(one.task, escape(one.task, 16)) for one in compared[0].tasks))
        layers: list[Layer] = [Rule(0.0, "no difference", "muted")]
        for place, method in enumerate(compared):
            sets = [method.overall, *method.tasks]
            differences = [one.difference for one in sets if one is not None]
            if len(differences) != len(rows):
                continue
            layers.append(
                Forest(
                    rows,
                    floats(100 * one.value for one in differences),
                    floats(100 * min(one.value, _number(one.low, one.value)) for one in differences),
                    floats(100 * max(one.value, _number(one.high, one.value)) for one in differences),
                    f"{name(method.method)} less {name(method.reference)}",
                    _role(result, method.method),
                    _offset(place, len(compared)),
                )
            )
        yield Figure(
            "differences",
            "Difference in accuracy",
            "Percentage points more (right of the line) or fewer (left) of the questions answered right, with 95% "
            "intervals over seeds and questions. An interval that crosses the line leaves open which method is better.",
            Axis("percentage points"),
            Axis(""),
            tuple(layers),
            _aspect(len(rows), len(compared)),
        )
    yield from _accuracies(result, called)


def _accuracies(result: Outcome, called: dict[str, str]) -> Iterator[Figure]:
    sets = [task.name for task in result.tasks]
    layers: list[Layer] = []
    rows = tuple(called[task] for task in sets)
    if all(result.base.rights.get(task) for task in sets):
        before = floats(100 * _share(result.base.rights[task]) for task in sets)
        layers.append(Forest(rows, before, before, before, "before training", "muted", -0.25))
    for place, method in enumerate(result.methods):
        runs = [run for run in result.final(method) if all(run.rights.get(task) for task in sets)]
        if not runs:
            continue
        seeds = [[100 * _share(run.rights[task]) for run in runs] for task in sets]
        layers.append(_over_seeds(result, method, place, rows, seeds))
    if layers and sets:
        yield Figure(
            "accuracies",
            "Accuracy by set",
            "Share of questions answered right: the mean over seeds, from the lowest seed to the highest. The figure "
            "of differences, seed by seed and question by question, says what these bars cannot.",
            Axis("% of questions right"),
            Axis(""),
            tuple(layers),
            _aspect(len(rows), len(layers)),
        )


def loss_figures(result: Outcome) -> Iterator[Figure]:
    """Training and validation loss over the steps, and the sweep of learning rates."""
    layers: list[Layer] = []
    counted = "token of prompt and response" if result.setup.get("loss") == "full" else "response token"
    for method in result.methods:
        runs = result.final(method)
        for curves, dashed, label in (
            ([_thinned(run.train_losses) for run in runs], True, "training"),
            ([run.validation_losses for run in runs], False, "held out"),
        ):
            steps, losses = _mean_curve(curves)
            if len(steps) > 1 or (steps and not dashed):
                layers.append(Line(steps, losses, f"{name(method)}, {label}", _role(result, method), dashed))
                if not dashed:
                    layers.append(Points(steps, losses, "", _role(result, method), 4.0))
    if layers:
        yield Figure(
            "losses",
            "Loss while training",
            f"Mean loss a {counted}, averaged over seeds: on what is learned (dashed) and on held-out examples. "
            "Lower is better; lines that lie on each other mean that the methods learn alike.",
            Axis("step"),
            Axis("nats a token"),
            tuple(layers),
        )
    yield from _rates(result)


def _rates(result: Outcome) -> Iterator[Figure]:
    layers: list[Layer] = []
    swept: set[float] = set()
    for method in result.methods:
        tried: dict[float, list[float]] = defaultdict(list)
        for run in result.runs:
            if run.purpose == "sweep" and run.method == method and run.validation_loss is not None:
                tried[run.learning_rate].append(run.validation_loss)
        if len(tried) > 1:
            rates = sorted(tried)
            swept.update(rates)
            means = floats(fmean(tried[rate]) for rate in rates)
            layers += [
                Line(tuple(rates), means, name(method), _role(result, method)),
                Points(tuple(rates), means, "", _role(result, method), 5.0),
            ]
    if layers:
        yield Figure(
            "rates",
            "Choosing the learning rate",
            "Loss on held-out examples by learning rate: the same rates for every method, each takes its own best one. "
            "A lowest point at an end means that a rate further on may be better still.",
            # more than some would run into each other
            Axis("learning rate", "log", ticks=tuple(sorted(swept)) if len(swept) <= _MOST_TICKS else None),
            Axis("nats a token"),
            tuple(layers),
        )


def geometry_figures(result: Outcome) -> Iterator[Figure]:
    """δ of the final hidden layer before and after, and the learned curvature by layer."""
    sets = [task.name for task in result.tasks if task.name in result.base.hidden_delta]
    called = result.titles
    if sets:
        rows = tuple(called[task] for task in sets)
        before = floats(result.base.hidden_delta[task] for task in sets)
        layers: list[Layer] = [Forest(rows, before, before, before, "before training", "muted", -0.25)]
        for place, method in enumerate(result.methods):
            runs = [run for run in result.final(method) if all(task in run.hidden_delta for task in sets)]
            if runs:
                seeds = [[run.hidden_delta[task] for run in runs] for task in sets]
                layers.append(_over_seeds(result, method, place, rows, seeds))
        yield Figure(
            "deltas",
            "Relative δ of the final hidden layer",
            "How far the hidden states of a prompt are from a tree (0) by 2δ/diam, on average over prompts: before "
            "training, and after it as mean, lowest and highest seed.",
            Axis("2δ / diam"),
            Axis(""),
            tuple(layers),
            _aspect(len(rows), len(layers)),
        )
    for method in result.methods:
        runs = [run for run in result.final(method) if run.curvatures]
        if runs:
            yield _curvatures(result, method, runs)


def _over_seeds(
    result: Outcome, method: str, place: int, rows: tuple[str, ...], seeds: Sequence[Sequence[float]]
) -> Forest:
    """A method's means with the lowest and highest seed of each row."""
    means = [min(max(fmean(row), min(row)), max(row)) for row in seeds]  # a mean of equals may round out of them
    low, high = floats(map(min, seeds)), floats(map(max, seeds))
    offset = _offset(place, len(result.methods))
    return Forest(rows, floats(means), low, high, name(method), _role(result, method), offset)


def _curvatures(result: Outcome, method: str, runs: Sequence[RunFacts]) -> Figure:
    by_depth: dict[int, list[LayerCurvature]] = defaultdict(list)
    for run in runs:
        for layer in run.curvatures:
            by_depth[depth(layer.layer)].append(layer)
    depths = floats(sorted(by_depth))
    places = [(at, layer.end) for at in sorted(by_depth) for layer in by_depth[at]]
    starts, ends = (
        floats(median(getattr(layer, when) for layer in by_depth[at]) for at in sorted(by_depth))
        for when in ("start", "end")
    )
    layers: tuple[Layer, ...] = (
        Points(floats(x for x, _ in places), floats(y for _, y in places), "each module", "null", 2.5),
        Line(depths, starts, "median at the start", "muted"),
        Line(depths, ends, "median", _role(result, method), dashed=True),
    )
    return Figure(
        f"curvature-{escape(method, 20)}",
        f"K by layer, {name(method)}",
        "The curvature is −1/K: a larger K is a flatter space, nearer to plain LoRA. Each dot is one adapted module of "
        "one seed after training.",
        Axis("layer"),
        Axis("K", "log"),
        layers,
    )


def _mean_curve(curves: Sequence[Sequence[tuple[int, float]]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean over the runs at the steps that all of them have."""
    tables = [dict(curve) for curve in curves if curve]
    if not tables:
        return (), ()
    steps = sorted(set.intersection(*(set(table) for table in tables)))
    return floats(steps), floats(fmean(table[step] for table in tables) for step in steps)


def _thinned(curve: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    block = max(1, -(-len(curve) // _CURVE_POINTS))
    parts = [curve[start : start + block] for start in range(0, len(curve), block)]
    return [(part[-1][0], fmean(loss for _, loss in part)) for part in parts]


def _share(marks: str) -> float:
    return marks.count("1") / len(marks)


def _number(value: float | None, other: float) -> float:
    return other if value is None else value


def _role(result: Outcome, method: str) -> Role:
    place = result.methods.index(method) if method in result.methods else 0
    return _ROLES[place % len(_ROLES)]


def _offset(place: int, of: int) -> float:
    return 0.0 if of < 2 else 0.36 * (place / (of - 1)) - 0.12


def _aspect(rows: int, layers: int) -> float:
    return min(1.6, 0.3 + (0.05 + 0.025 * layers) * rows)
