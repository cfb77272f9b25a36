"""Tokens a second of `geoprobe finetune`'s training on SmolLM2-135M.

Beside a bare loop of transformers' Trainer, and with HypLoRA beside peft's LoRA. The bare loop is `Trainer` with a LoRA
model, the same examples in the same order and batches, labels masked by hand, and nothing else: no checkpoints, no
validation, no display. geoprobe's harness has its own. Rank 32 on q, k, v, up and down projections, eight short sums a
step, float32 on a CPU. Repetitions alternate in one process, and the time is this process's own, so that what else a
machine does falls on all alike. Prints one line a figure, and exits 1 if a bar is missed.

    python benchmarks/finetune.py
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from table import keep
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from geoprobe.training.data.examples import Prepared, Tokens, prepare
from geoprobe.training.data.instructions import Example, TrainingData
from geoprobe.training.model.adapters import adapted
from geoprobe.training.model.base import LoadedBase, load_base
from geoprobe.training.records import Run
from geoprobe.training.running.loss import IGNORED
from geoprobe.training.running.train import ordered_examples, trained
from geoprobe.training.setup import Setup, make_setup

missed: list[str] = []


def sums(count: int) -> TrainingData:
    """Worked additions, so that no data need be fetched."""
    examples = []
    for place in range(count):
        a, b = place % 89 + 2, place // 7 + 3
        question = f"Ann has {a} apples in {place % 5 + 1} baskets and is given {b} more by Ben. How many has she now?"
        response = f"Ann has {a} apples and is given {b}.\nThat makes {a} + {b} = {a + b} apples.\n#### {a + b}"
        examples.append(Example(f"{question}\n\n", response, question))
    return TrainingData("sums", tuple(examples), "")


def padded(rows: list[Tokens], padding: int) -> dict[str, torch.Tensor]:
    """A batch as anybody would make it."""
    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([[*row.ids, *[padding] * (longest - len(row.ids))] for row in rows])
    mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
    labels = ids.masked_fill(mask == 0, IGNORED)
    for place, row in enumerate(rows):
        labels[place, : row.prompt] = IGNORED
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def bare(base: LoadedBase, setup: Setup, run: Run, prepared: Prepared, folder: Path) -> float:
    """Seconds of a bare Trainer loop."""
    with adapted(base.model, setup, run.method, run.seed) as model:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=str(folder),
                max_steps=run.steps,
                per_device_train_batch_size=setup.batch,
                learning_rate=run.learning_rate,
                train_sampling_strategy="sequential",
                save_strategy="no",
                logging_steps=run.steps,
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
                dataloader_pin_memory=False,
                remove_unused_columns=False,
            ),
            train_dataset=ordered_examples(prepared, setup, run),
            data_collator=lambda rows: padded(rows, base.padding),
        )
        trainer.remove_callback(PrinterCallback)
        began = time.process_time()
        trainer.train()
        return time.process_time() - began


def ours(base: LoadedBase, setup: Setup, run: Run, prepared: Prepared, folder: Path) -> float:
    """Seconds of geoprobe's training, with its checkpoints and one validation."""
    began = time.process_time()
    with trained(base, setup, run, setup.alpha, prepared, folder):
        return time.process_time() - began


def report(name: str, ratio: float, bar: float) -> None:
    verdict = "" if ratio >= bar else "  MISSED"
    if verdict:
        missed.append(name)
    print(f"{name}: {ratio:.2f} (bar {bar:.2f}){verdict}", flush=True)
    work, _, peer = name.partition(" over ")
    keep(work, peer, ratio, bar, at_least=True)


def dry_run() -> None:
    """Seconds and memory of a dry run on the demo, beside the size of its weights in float32 and a micro-batch."""
    with tempfile.TemporaryDirectory() as scratch:
        train = Path(scratch) / "sums.jsonl"
        rows = ({"question": example.question, "answer": example.response} for example in sums(400).examples)
        train.write_text("\n".join(map(json.dumps, rows)))
        tests = Path(scratch) / "AddSub"
        tests.mkdir()
        asked = [
            {"instruction": f"From {n + 30} jars {n} were sold. How many are left?", "answer": 30} for n in range(64)
        ]
        (tests / "test.json").write_text(json.dumps(asked))
        words = [
            "finetune",
            "demo",
            "--train",
            str(train),
            "--eval",
            "addsub",
            "--data",
            scratch,
            "--dry-run",
            "--quiet",
        ]
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "geoprobe", *words], check=True, stdout=subprocess.DEVNULL)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(
        f"dry run on the demo: {time.perf_counter() - began:.0f} s, {peak:.1f} GiB (weights 0.5 GiB; bar 60 s, 3 GiB)"
    )
    if time.perf_counter() - began > 60 or peak > 3:
        missed.append("dry run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=3)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    dry_run()
    setup = make_setup(
        "paper",
        model="demo",
        train="sums",
        batch=8,
        dropout=0.0,
        validation=1,
        save_every=2,
        template="plain",
        threads=2,
        loss="response",
        checkpoint="last",
    )
    base = load_base(setup)
    prepared = prepare(sums(400), base.tokenizer, setup)
    runs = {method: Run(method, 0, 3e-4, "final", chosen.steps) for method in ("lora", "hyplora")}
    tokens = sum(len(each.ids) for each in ordered_examples(prepared, setup, runs["lora"]))
    times: dict[str, list[float]] = {"bare": [], "lora": [], "hyplora": []}
    with tempfile.TemporaryDirectory() as scratch:
        for repetition in range(chosen.repetitions + 1):
            folder = Path(scratch) / str(repetition)
            took = {
                "bare": bare(base, setup, runs["lora"], prepared, folder / "bare"),
                "lora": ours(base, setup, runs["lora"], prepared, folder / "lora"),
                "hyplora": ours(base, setup, runs["hyplora"], prepared, folder / "hyplora"),
            }
            if repetition:  # the first warms up
                for name, seconds in took.items():
                    times[name].append(seconds)
    for name, seconds in times.items():
        print(f"{name}: {tokens / statistics.median(seconds):.0f} tokens per second of processor time")
    middle = {name: statistics.median(seconds) for name, seconds in times.items()}
    report("tokens/s of the harness over a bare Trainer loop", middle["bare"] / middle["lora"], 0.95)
    report("tokens/s of HypLoRA over LoRA", middle["lora"] / middle["hyplora"], 0.85)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
