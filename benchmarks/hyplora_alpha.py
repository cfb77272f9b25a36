"""How much the verdict on HypLoRA depends on alpha: held-out loss of LoRA and HypLoRA at several, on SmolLM2-135M.

HypLoRA's alphas are LoRA's own, the one that gives its median layer LoRA's gradient at the start (as `finetune` does),
and the one that gives all layers together LoRA's norm; the second of them also with log K at thirty times the rate, and
its K's move is printed. LoRA at half its alpha, and at twice, is the control: what alpha
alone does. The preset "small", with steps, seeds and one rate as asked for. Prints a line a run as it ends, then each
row's difference to LoRA: its mean over the seeds and, from two on, half its 95% interval (Student's). The sign depends
on alpha where HypLoRA's two matchings are on different sides of LoRA.

    python benchmarks/hyplora_alpha.py --train FILE [--steps 25] [--seeds 3] [--rate 1e-3]
"""

import argparse
import statistics
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

from scipy.stats import t
from transformers.utils.logging import disable_progress_bar

from geoprobe.hyplora import geometry
from geoprobe.training.data import load_training
from geoprobe.training.examples import prepare
from geoprobe.training.matched_alpha import match_alpha
from geoprobe.training.model import load_base
from geoprobe.training.records import Run
from geoprobe.training.setup import make_setup
from geoprobe.training.train import ordered_examples, trained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="GSM8K's train.jsonl, or another training set")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1e-3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    disable_progress_bar()
    setup = make_setup("small", model="demo", train=str(options.train), validate_every=options.steps, save_every=1000)
    base = load_base(setup)
    prepared = prepare(load_training(str(options.train)), base.tokenizer, setup)
    losses: dict[str, list[float]] = {}
    for seed in range(options.seeds):
        first = ordered_examples(prepared, setup, Run("lora", seed, 0.0, "final", 1))
        lora = match_alpha(base, setup, "lora", seed, first, None)
        median = match_alpha(base, setup, "hyplora", seed, first, lora)
        over_all = setup.alpha * lora.gradient_norm / median.unmatched_gradient_norm
        rows = {
            "LoRA": ("lora", setup.alpha, 1.0),
            "LoRA, alpha / 2": ("lora", setup.alpha / 2, 1.0),
            "LoRA, alpha · 2": ("lora", setup.alpha * 2, 1.0),
            "HypLoRA, LoRA's alpha": ("hyplora", setup.alpha, 1.0),
            "HypLoRA, median layer": ("hyplora", median.alpha, 1.0),
            "HypLoRA, all layers' norm": ("hyplora", over_all, 1.0),
            "HypLoRA, median, log K × 30": ("hyplora", median.alpha, 30.0),
        }
        for name, (method, alpha, factor) in rows.items():
            run = Run(method, seed, options.rate, "final", options.steps)
            chosen = replace(setup, curvature_rate=factor)
            with (
                tempfile.TemporaryDirectory() as folder,
                trained(base, chosen, run, alpha, prepared, Path(folder), curvatures=median.curvatures) as done,
            ):
                losses.setdefault(name, []).append(done.validation_loss)
                moves = [abs(layer.moved) for layer in geometry(done.model)]
            moved = f"  log K moved by {statistics.mean(moves):.4f}" if moves else ""
            print(
                f"seed {seed}  {name:<28} alpha {alpha:6.1f}  held-out loss {losses[name][-1]:.4f}{moved}", flush=True
            )
    differences = {
        name: [mine - theirs for mine, theirs in zip(found, losses["LoRA"], strict=True)]
        for name, found in losses.items()
    }
    for name, values in differences.items():
        interval = ""
        if len(values) > 1:
            half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
            interval = f" ± {half:.4f}"
        print(f"{name:<28} difference to LoRA {statistics.mean(values):+.4f}{interval}")
    signs = {statistics.mean(differences[name]) < 0 for name in ("HypLoRA, median layer", "HypLoRA, all layers' norm")}
    print("The sign is one at both matchings." if len(signs) == 1 else "The sign depends on alpha.")


if __name__ == "__main__":
    main()
