"""How much the verdict on HypLoRA depends on alpha: held-out loss of LoRA and HypLoRA at several, on SmolLM2-135M.

HypLoRA's alphas are the one that gives its median layer LoRA's gradient at the start (as `finetune` does), the one that
gives all layers together LoRA's norm, and LoRA's own; the first of them also with log K at thirty times the rate, and
its K's move is printed. LoRA at half its alpha is the control, what alpha alone does; tuned, that is at twice the
rate, it is to be equal again. The preset "small", with steps, seeds and one rate as asked for.
Prints a line a run as it ends, then each row's difference to LoRA with its interval and verdict by `finetune`'s own
rule, HypLoRA's at both matchings. --out keeps them, anew after each seed, as alpha.json and alpha.md in a folder.

    python benchmarks/hyplora_alpha.py --train FILE [--steps 25] [--seeds 3] [--rate 1e-3] [--rows 8] [--out FOLDER]
"""

import argparse
import json
import statistics
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers.utils.logging import disable_progress_bar

from geoprobe.hyplora import geometry
from geoprobe.training.data.examples import prepare
from geoprobe.training.data.instructions import load_training
from geoprobe.training.experiment import PACKAGES
from geoprobe.training.model.base import load_base
from geoprobe.training.records import Run, RunFacts
from geoprobe.training.running.matched_alpha import match_alpha
from geoprobe.training.running.train import ordered_examples, trained
from geoprobe.training.setup import make_setup
from geoprobe.training.verdict import compare_runs
from geoprobe.versions import versions_of

MEDIAN, NORM = "HypLoRA, median layer", "HypLoRA, all layers' norm"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="GSM8K's train.jsonl, or another training set")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--rows", type=int, default=8, help="the first so many of the table's, three at least")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    setup = make_setup("small", model="demo", train=str(options.train), validate_every=options.steps, save_every=1000)
    base = load_base(setup)
    prepared = prepare(load_training(str(options.train)), base.tokenizer, setup)
    tokens = [example.learned for example in prepared.validation]
    runs: dict[str, list[RunFacts]] = {}
    for seed in range(options.seeds):
        first = ordered_examples(prepared, setup, Run("lora", seed, 0.0, "final", 1))
        lora = match_alpha(base, setup, "lora", seed, first, None)
        median = match_alpha(base, setup, "hyplora", seed, first, lora)
        rows = {
            "LoRA": ("lora", setup.alpha, 1, 1),
            MEDIAN: ("hyplora", median.alpha, 1, 1),
            NORM: ("hyplora", median.at_other().alpha, 1, 1),
            "LoRA, alpha / 2": ("lora", setup.alpha / 2, 1, 1),
            "LoRA, alpha / 2, rate · 2": ("lora", setup.alpha / 2, 2, 1),
            "LoRA, alpha · 2": ("lora", setup.alpha * 2, 1, 1),
            "HypLoRA, LoRA's alpha": ("hyplora", setup.alpha, 1, 1),
            "HypLoRA, median, log K × 30": ("hyplora", median.alpha, 1, 30),
        }
        for name, (method, alpha, times, factor) in list(rows.items())[: max(options.rows, 3)]:
            run = Run(method, seed, options.rate * times, "final", options.steps)
            chosen = replace(setup, curvature_rate=float(factor))
            with (
                tempfile.TemporaryDirectory() as folder,
                trained(base, chosen, run, alpha, prepared, Path(folder), curvatures=median.curvatures) as done,
            ):
                moves = [abs(layer.moved) for layer in geometry(done.model)]
            facts = RunFacts(
                *(name, seed, run.learning_rate, "final", "finished"),
                steps=options.steps,
                validation_loss=done.validation_loss,
                held_out_losses=done.held_out_losses,
                alpha=alpha,
            )
            runs.setdefault(name, []).append(facts)
            moved = f"  log K moved by {statistics.mean(moves):.4f}" if moves else ""
            print(
                f"seed {seed}  {name:<28} alpha {alpha:6.1f}  held-out loss {done.validation_loss:.4f}{moved}",
                flush=True,
            )
        if options.out:
            _keep(options.out, _table(runs, tokens), _verdict(runs, tokens), vars(options), setup.to_dict())
    for row in _table(runs, tokens):
        interval = "" if row["low"] is None else f" ({row['low']:+.4f} to {row['high']:+.4f})"
        print(f"{row['row']:<28} difference to LoRA {row['difference']:+.4f}{interval}  {row['verdict']}")
    print(f"HypLoRA at both matchings: {_verdict(runs, tokens)}")


def _table(runs: dict[str, list[RunFacts]], tokens: Sequence[int]) -> list[dict[str, Any]]:
    """Each row's alpha, loss and difference to LoRA, by `finetune`'s rule for two methods."""
    rows = []
    for name, own in runs.items():
        found = compare_runs([*runs["LoRA"], *own], ("LoRA", name), (), held_out_tokens=tokens)[0]
        assert found.loss is not None
        rows.append(
            {
                "row": name,
                "alpha": statistics.mean(run.alpha or 0.0 for run in own),
                "losses": [run.validation_loss for run in own],
                "difference": found.loss.value,
                "low": found.loss.low,
                "high": found.loss.high,
                "verdict": found.loss_label,
            }
        )
    return rows


def _verdict(runs: dict[str, list[RunFacts]], tokens: Sequence[int]) -> str:
    """The verdict on HypLoRA's loss at both matchings."""
    again = [replace(run, method=MEDIAN, purpose="alpha") for run in runs[NORM]]
    found = compare_runs([*runs["LoRA"], *runs[MEDIAN], *again], ("LoRA", MEDIAN), (), held_out_tokens=tokens)[0]
    return found.loss_label


def _keep(out: Path, rows: list[dict[str, Any]], verdict: str, options: dict[str, Any], setup: dict[str, Any]) -> None:
    seeds = len(rows[0]["losses"])
    chosen = {name: options[name] for name in ("steps", "rate")} | {"train": options["train"].name, "seeds": seeds}
    kept = {"options": chosen, "verdict": verdict, "rows": rows, "setup": setup, "versions": versions_of(PACKAGES)}
    kept["setup"]["train"] = options["train"].name
    lines = [
        f"# What the verdict on HypLoRA owes to alpha: {seeds} seeds, {options['steps']} steps at {options['rate']:g}",
        "",
        "Held-out loss on SmolLM2-135M-Instruct in nats a token, and its difference to LoRA's, by",
        "`benchmarks/hyplora_alpha.py`. LoRA at another alpha is the control: what alpha alone does.",
        "",
        "| | alpha | loss | difference | 95% interval | verdict |",
        "|---|--:|--:|--:|:--:|---|",
    ]
    for row in rows:
        interval = "" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"
        said = f"{row['difference']:+.4f} | {interval} | {row['verdict']}" if row is not rows[0] else " | | "
        lines.append(f"| {row['row']} | {row['alpha']:.1f} | {statistics.mean(row['losses']):.4f} | {said} |")
    lines += ["", f"HypLoRA at both matchings: **{verdict}**.", ""]
    out.mkdir(parents=True, exist_ok=True)
    (out / "alpha.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    (out / "alpha.md").write_text("\n".join(lines).replace("-0.", "−0."), "utf-8")


if __name__ == "__main__":
    main()
