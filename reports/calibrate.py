"""Run every known truth through the shipped analyzers and keep what they say of it in ``calibration/``.

``python reports/calibrate.py [DIAGNOSTIC ...] [--seeds 12] [--processes 2]``, or `make calibrate`. A diagnostic that is
not named keeps what was kept of it. ``tests/calibration/DIAGNOSTIC.py`` has its truths: ``truths()`` gives a tuple of
`Truth`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

import numpy as np  # noqa: E402
from calibration.truth import LABELS, Outcome, Truth  # noqa: E402

import geoprobe  # noqa: E402

DIAGNOSTICS = ("frequency", "norms", "hyperbolicity", "states", "hierarchy", "curvature")
#: Colours told apart with every common colour deficiency (after Okabe & Ito, 2008).
COLOURS = ("#00805a", "#56b4e9", "#b5bac2", "#b8003d", "#e8e2d0")


def truths(diagnostic: str) -> tuple[Truth, ...]:
    """The known truths of one diagnostic; none where it has no file of them."""
    if not (HERE.parent / "tests" / "calibration" / f"{diagnostic}.py").exists():
        return ()
    found: tuple[Truth, ...] = import_module(f"calibration.{diagnostic}").truths()
    return found


def one_draw(task: tuple[str, int, int]) -> tuple[Outcome, float]:
    """The outcome of one draw of one truth, and its seconds."""
    diagnostic, place, seed = task
    start = time.perf_counter()
    return truths(diagnostic)[place].run(seed), time.perf_counter() - start


def summary(truth: Truth, outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """The rate of every label on one truth, coverage and scores."""
    covered = [each.covered for each in outcomes if each.covered is not None]
    scores = [each.score for each in outcomes if each.score is not None]
    labels = {label: sum(each.label == label for each in outcomes) for label in LABELS}
    right = sum(labels[label] for label in truth.right)
    return {
        "truth": truth.name,
        "draws": len(outcomes),
        "labels": labels,
        "right": list(truth.right),
        "rate": right / len(outcomes),
        "rate_asked": truth.rate,
        "coverage": float(np.mean(covered)) if covered else None,
        "side": truth.side,
        "scores": [round(score, 6) for score in scores],
        "seconds": round(seconds, 1),
    }


def area(found: Sequence[dict[str, Any]]) -> float | None:
    """The area under the ROC curve: how often a yes scores above a no."""
    yes, no = (
        np.array([score for each in found if each["side"] == side for score in each["scores"]])
        for side in ("yes", "no")
    )
    if not (yes.size and no.size):
        return None
    return float((yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean())


def picture(kept: dict[str, Any], path: Path) -> None:
    """One page: the rate of every label on every truth, a bar each."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    found = {name: each for name, each in kept["diagnostics"].items() if each["truths"]}
    heights = [len(each["truths"]) + 2 for each in found.values()]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "geoprobe", "font.size": 8}):
        tall = 0.2 * sum(heights) + 1.2
        canvas = Figure(figsize=(9.5, tall))
        FigureCanvasSVG(canvas)
        axes = canvas.subplots(len(found), 1, height_ratios=heights, squeeze=False)[:, 0]
        # names to the left of the bars, rates to their right
        canvas.subplots_adjust(left=0.45, right=0.76, top=1 - 0.7 / tall, bottom=0.35 / tall, hspace=0.12)
        for ax, (name, each) in zip(axes, found.items(), strict=True):
            _bars(ax, name, each)
        handles, names = axes[0].get_legend_handles_labels()
        canvas.legend(handles, names, loc="upper center", ncols=len(LABELS), frameon=False)
        canvas.savefig(path, metadata={"Date": None, "Creator": None})


def _bars(ax: Any, name: str, found: dict[str, Any]) -> None:
    rows = found["truths"]
    left = np.zeros(len(rows))
    for label, colour in zip(LABELS, COLOURS, strict=True):
        share = np.array([each["labels"][label] / each["draws"] for each in rows])
        ax.barh(range(len(rows)), share, left=left, color=colour, label=label, height=0.75)
        left += share
    for row, each in enumerate(rows):
        coverage = "" if each["coverage"] is None else f", coverage {100 * each['coverage']:.0f}%"
        kept = "" if each["rate"] >= each["rate_asked"] else "  ← missed"
        text = f"{100 * each['rate']:.0f}% right, asked {100 * each['rate_asked']:.0f}%{coverage}{kept}"
        ax.text(1.02, row, text, va="center")
    ax.set_yticks(range(len(rows)), [each["truth"] for each in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0", "50%", "100%"])
    under = "" if found["auc"] is None else f", area under the ROC curve {found['auc']:.3f}"
    ax.set_title(f"{name}: labels of {rows[0]['draws']} draws of every truth{under}", x=-1.42, loc="left", fontsize=9)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "diagnostics", nargs="*", metavar="DIAGNOSTIC", help=f"of {', '.join(DIAGNOSTICS)}; default all"
    )
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "calibration")
    options = parser.parse_args()
    unknown = set(options.diagnostics) - set(DIAGNOSTICS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(DIAGNOSTICS)}")
    target = options.out / "calibration.json"
    kept: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {"diagnostics": {}}
    # processes share the cores: one thread each
    os.environ["NUMBA_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for diagnostic in options.diagnostics or DIAGNOSTICS:
            known = truths(diagnostic)
            tasks = [(diagnostic, place, seed) for place in range(len(known)) for seed in range(options.seeds)]
            drawn = list(pool.map(one_draw, tasks))
            found = []
            for place, truth in enumerate(known):
                mine = drawn[place * options.seeds : (place + 1) * options.seeds]
                found.append(summary(truth, [each for each, _ in mine], sum(seconds for _, seconds in mine)))
                print(f"{diagnostic}: {truth.name}: {found[-1]['labels']}", file=sys.stderr)  # noqa: T201
            kept["diagnostics"][diagnostic] = {
                "geoprobe": geoprobe.__version__,
                "auc": area(found),
                "truths": found,
            }
            options.out.mkdir(parents=True, exist_ok=True)
            kept["diagnostics"] = {
                name: kept["diagnostics"][name] for name in DIAGNOSTICS if name in kept["diagnostics"]
            }
            target.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
            picture(kept, options.out / "calibration.svg")


if __name__ == "__main__":
    main()
