"""Run by a fresh interpreter: do one experiment in many pieces, each ended by a signal at a random moment.

Every piece is a child forked from here, where everything is imported already, so that the moments fall into the work
and not into the imports. A line of JSON a piece: its exit code, which files of the folder cannot be read, and, once the
experiment is over, whether its weights and its result are those of one that was never stopped.
"""

import json
import os
import random
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from faults.interrupted import ended, run
from safetensors import SafetensorError
from safetensors.numpy import load_file

import geoprobe.training.finetuning
import geoprobe.training.report.view  # noqa: F401

OPTIONS = shlex.split(
    "--seeds 1 --rates 1e-2 --rank 4 --steps 8 --batch 4 --validation 6 --validate-every 4 --save-every 2"
    " --max-new-tokens 4 --template plain --threads 1 --dropout 0.1"
)
MEASURED = ("seconds", "evaluation_seconds", "peak_memory")
WEIGHTS = "runs/*/adapter/adapter_model.safetensors"


def unreadable(out: Path) -> list[str]:
    """Files that somebody would read and cannot: what is being written stands under another name, or is unmarked."""
    found = []
    for path in out.rglob("*"):
        parts = path.relative_to(out).parts
        unmarked = any(part.startswith("checkpoint-") for part in parts) or "adapter.part" in parts
        if path.is_dir() or path.name.startswith(".") or unmarked:
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".jsonl":
                for line in path.read_text().splitlines():
                    json.loads(line)
            elif path.suffix == ".safetensors":
                load_file(path)
        except (ValueError, SafetensorError):
            found.append(path.relative_to(out).as_posix())
    return found


def outcome(out: Path) -> tuple[dict[str, bytes], Any]:
    """Weights, and the result without what was measured of time and memory."""
    result = json.loads((out / "finetune.json").read_text())
    result.pop("steps")
    for each in result["runs"]:
        for name in MEASURED:
            each.pop(name)
    weights = {
        f"{path.relative_to(out)} {name}": array.tobytes()
        for path in out.glob(WEIGHTS)
        for name, array in load_file(path).items()
    }
    return weights, result


def main() -> None:
    model, train, data, work, name, times, seed = sys.argv[1:8]
    sent, rng = signal.Signals[name], random.Random(int(seed))
    whole, out, errors = Path(work) / "whole", Path(work) / "out", Path(work) / "stderr"
    command = ["finetune", model, "--train", train, "--eval", "addsub", "--data", data, "--format", "json", "--quiet"]
    command += [*OPTIONS, "--resume", "--out"]
    start = time.perf_counter()
    assert ended(run([*command, str(whole)], errors)) == 0, errors.read_text()
    seconds, expected = time.perf_counter() - start, outcome(whole)
    left = int(times)
    while left or out.exists():
        child = run([*command, str(out)], errors)
        if left:  # the last experiment is let finish
            left -= 1
            time.sleep(seconds * rng.uniform(0.02, 0.9))
            os.kill(child, sent)  # of one that has ended, too: it is not waited for yet
        found: dict[str, Any] = {"code": ended(child), "unreadable": unreadable(out), "said": errors.read_text()}
        if found["code"] == 0:
            found["same"] = outcome(out) == expected
            shutil.rmtree(out)
        elif not left:
            assert found["code"] in (128 + sent, -sent), found
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()  # a child would have a copy of what is not written yet


if __name__ == "__main__":
    main()
