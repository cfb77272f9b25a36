"""Cost of HypLoRA beside peft's LoRA, on SmolLM2-135M: a training step, its peak memory, and inference.

With ``--model llama-3-8b`` on a model of that shape instead, its weights at random: they do not change the cost.
Rank 32 on q, k, v, up and down projections, batches of 4 × 256 tokens, float32 on a CPU and bfloat16 on a GPU unless
told otherwise. The three adapters' repetitions alternate in one process, so that what else a machine does falls on all
alike; on a GPU HypLoRA runs without its kernels as well, and a kernel that cannot be launched is a bar missed. On a CPU
the time is this process's own. Memory is the peak of what tensors hold during a step, weights included: a process's
resident size also has what loading left behind, which differs by a fifth from run to run. Prints one line a
figure, and exits 1 if a bar is missed.

    python benchmarks/hyplora.py
    python benchmarks/hyplora.py --device cuda
    python benchmarks/hyplora.py --device cuda --model llama-3-8b
"""

import argparse
import gc
import json
import pydoc_data.topics
import subprocess
import sys
import time
from collections.abc import Iterator

import peft
import torch
from peft import LoraConfig, get_peft_model
from table import keep
from transformers import AutoModelForCausalLM, LlamaConfig
from transformers.utils.logging import disable_progress_bar

from geoprobe.hyplora import HypLoraConfig, fused
from geoprobe.sources.models.demo import demo_model
from geoprobe.sources.models.loading import open_model

SETTINGS = {"r": 32, "lora_alpha": 64, "target_modules": ["q_proj", "k_proj", "v_proj", "up_proj", "down_proj"]}
LLAMA_3_8B = LlamaConfig(
    vocab_size=128_256,
    hidden_size=4096,
    intermediate_size=14_336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
)
WITHOUT_KERNELS = "without kernels"
missed: list[str] = []
CONFIGS = {
    "LoRA": lambda: LoraConfig(**SETTINGS),
    "HypLoRA": lambda: HypLoraConfig(**SETTINGS),
    "released arithmetic": lambda: HypLoraConfig(**SETTINGS, curvature=1.0, hyplora_reference=True),
}


def batch(device: str, rows: int, length: int) -> torch.Tensor:
    """Real text, as token ids."""
    (ids,) = open_model("demo").tokenizer.encode(["\n".join(pydoc_data.topics.topics.values())])
    return torch.as_tensor(ids[: rows * length]).view(rows, length).to(device)


def base_model(model: str, device: str, dtype: torch.dtype) -> torch.nn.Module:
    if model == "demo":
        path = demo_model()
        return AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=dtype).to(device)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(LLAMA_3_8B, dtype=dtype)


def adapted(name: str, options: argparse.Namespace) -> torch.nn.Module:
    return get_peft_model(base_model(options.model, options.device, options.type), CONFIGS[name]())


class Step:
    """One optimiser step, or one forward pass."""

    def __init__(self, model: torch.nn.Module, ids: torch.Tensor) -> None:
        self.model, self.ids = model, ids
        self.optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=3e-4)

    def train(self) -> None:
        """Forward, backward and update."""
        self.model.train()
        self.model(input_ids=self.ids, labels=self.ids).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def infer(self) -> None:
        """Forward only."""
        self.model.eval()
        with torch.no_grad():
            self.model(input_ids=self.ids)


def timed(run, device: str) -> float:
    if device == "cpu":
        start = time.process_time()
        run()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def tensors_peak(step: Step) -> float:
    """Most bytes that tensors hold at once during a training step on a CPU, in MB, by torch's own record."""
    step.train()  # the optimiser's state is there from the first step on
    held = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in kept(step)}
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiled:
        step.train()
    changes = [event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return (sum(held.values()) + most) / 2**20


def kept(step: Step) -> Iterator[torch.Tensor]:
    """What lives from step to step: weights and the optimiser's state."""
    yield from step.model.parameters()
    for state in step.optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, torch.Tensor))


def peak(name: str, options: argparse.Namespace) -> float:
    """Peak memory of training with one adapter, in MB."""
    if options.device != "cpu":
        step = Step(adapted(name, options), batch(options.device, options.rows, options.length))
        step.train()
        torch.cuda.reset_peak_memory_stats()
        step.train()
        found = torch.cuda.max_memory_allocated() / 2**20
        del step
        gc.collect()
        torch.cuda.empty_cache()
        return found
    shape = [
        "--rows",
        str(options.rows),
        "--length",
        str(options.length),
        "--dtype",
        options.dtype,
        "--model",
        options.model,
    ]
    command = [sys.executable, "-W", "ignore", __file__, *shape, "--peak", name]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def report(what: str, unit: str, found: dict[str, float], bar: float) -> None:
    for name, value in found.items():
        ratio = value / found["LoRA"]
        judged = name == "HypLoRA"
        verdict = "" if not judged else "ok" if ratio <= bar else "MISSED"
        told = f"  (bar: {bar:.2f})" if judged else ""
        print(f"{verdict:<6}  {what:<15} {name:<20} {value:9.3f} {unit:<2} {ratio:6.3f} × LoRA{told}", flush=True)
        if judged:
            keep(f"HypLoRA, {what}", "LoRA", ratio, bar)
        if verdict == "MISSED":
            missed.append(what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", choices=("demo", "llama-3-8b"), default="demo")
    parser.add_argument("--dtype", default=None, help="of the base model: float32, bfloat16 or float16")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--repeats", type=int, help="of each, 4 on a CPU and 12 on a GPU unless told otherwise")
    parser.add_argument("--peak", choices=CONFIGS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.dtype = options.dtype or ("float32" if options.device == "cpu" else "bfloat16")
    options.repeats = options.repeats or (4 if options.device == "cpu" else 12)
    options.type = getattr(torch, options.dtype)
    disable_progress_bar()
    ids = batch(options.device, options.rows, options.length)
    if options.peak:
        print(json.dumps(tensors_peak(Step(adapted(options.peak, options), ids))))
        return

    torch.manual_seed(0)
    device = torch.cuda.get_device_name() if options.device != "cpu" else f"CPU, {torch.get_num_threads()} threads"
    what = f"{options.model}, {options.dtype}, {tuple(ids.shape)} tokens"
    print(f"torch {torch.__version__}, peft {peft.__version__}, {device}, {what}")
    report("peak memory", "MB", {name: peak(name, options) for name in CONFIGS}, 1.10)
    steps = {name: Step(adapted(name, options), ids) for name in CONFIGS}
    kernels, plain = fused.kernels, fused.Kernels(devices=frozenset())
    if options.device != "cpu":
        steps[WITHOUT_KERNELS] = steps["HypLoRA"]
    for what, bar in (("train", 1.15), ("infer", 1.10)):
        times: dict[str, list[float]] = {name: [] for name in steps}
        for repeat in range(options.repeats + 1):
            for name, step in steps.items():
                fused.kernels = plain if name == WITHOUT_KERNELS else kernels
                found = timed(getattr(step, what), options.device)
                if repeat:  # the first warms up
                    times[name].append(found)
        report(f"{what}, fastest", "s", {name: min(found) for name, found in times.items()}, bar)
    if options.device != "cpu":
        print(f"{kernels.launched} kernels were launched")
        if kernels.failed or not kernels.launched:
            missed.append("kernels")


if __name__ == "__main__":
    main()
    sys.exit(bool(missed))
