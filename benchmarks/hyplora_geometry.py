"""How curved HypLoRA's space is where real hidden states lie: SmolLM2-135M over real text, by K.

With the same A and B, a HypLoRA layer's output is LoRA's times one factor a token; |factor − 1| is the relative
difference. Prints, for each K, the share of (token, layer) pairs where it is above 1% and above 10%, the share of
layers where it is so for most tokens, the share of pairs for which the maps are exact, and the largest factor on a
gradient. At the start the factor is that of B = 0; --steps trains first, on the same text.

    python benchmarks/hyplora_geometry.py [--text FILE] [--steps N] [--layers]
"""

import argparse
import pydoc_data.topics
from pathlib import Path

import torch
from peft import get_peft_model
from transformers import AutoModelForCausalLM

from geoprobe.hyplora import HypLoraConfig, HypLoraLinear, geometry
from geoprobe.sources.models.demo import demo_model
from geoprobe.sources.models.loading import open_model

TARGETS = ["q_proj", "k_proj", "v_proj", "up_proj", "down_proj"]


def factors_by_layer(model, ids):
    """For each layer: the factor of every token, and its ρ = ‖x‖/√K."""
    found, handles = {}, []
    for name, layer in model.named_modules():
        if isinstance(layer, HypLoraLinear):

            def keep(layer, args, name=name):
                x = args[0].detach().reshape(-1, args[0].shape[-1])
                space, update = layer.lora_space["default"], layer.lora_B["default"](layer.lora_A["default"](x))
                rho = torch.linalg.vector_norm(x, dim=-1) / space.radius
                found[name.removeprefix("base_model.model.model.")] = (space.factor(x, update), rho)

            handles.append(layer.register_forward_pre_hook(keep))
    model.eval()
    with torch.no_grad():
        model(input_ids=ids)
    for handle in handles:
        handle.remove()
    return found


def train(model, ids, steps):
    model.train()
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=3e-4)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, help="a text; the Python manual inside CPython by default")
    parser.add_argument("--curvature", type=float, nargs="+", default=[1.0, 0.5, 0.25, 0.1, 0.05])
    parser.add_argument("--chart", default="exponential")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--layers", action="store_true", help="one line a layer besides")
    options = parser.parse_args()
    path = demo_model()
    text = options.text.read_text() if options.text else "\n".join(pydoc_data.topics.topics.values())
    (encoded,) = open_model("demo").tokenizer.encode([text])
    ids = torch.as_tensor(encoded[: 4 * 256]).view(4, 256)
    base = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32)
    for curvature in options.curvature:
        torch.manual_seed(0)
        settings = {"chart": options.chart, "curvature": curvature, "target_modules": TARGETS}
        model = get_peft_model(base, HypLoraConfig(r=32, lora_alpha=64, **settings))
        told = f", loss after {options.steps} steps {train(model, ids, options.steps):.3f}" if options.steps else ""
        found = factors_by_layer(model, ids)
        off = {name: (factor - 1).abs() for name, (factor, _) in found.items()}
        pairs = torch.cat(list(off.values()))
        exact = torch.cat([rho for _, rho in found.values()]) <= model.peft_config["default"].limit
        print(
            f"K = {curvature:<5g} > 1%: {_share(pairs > 0.01)} of pairs, {_most(off, 0.01)} of layers; "
            f"> 10%: {_share(pairs > 0.1)} of pairs, {_most(off, 0.1)} of layers; median {float(pairs.median()):.1%}; "
            f"exact for {_share(exact)}; largest factor {float(1 + pairs.max()):.2f}{told}",
            flush=True,
        )
        if options.layers:
            learned = {record.layer.removeprefix("model."): record.curvature for record in geometry(model)}
            for name, values in off.items():
                print(
                    f"    {name:<32} K {learned[name]:.4f}  > 1% {_share(values > 0.01)}  > 10% {_share(values > 0.1)}"
                )
        base = model.unload()


def _share(true):
    return f"{float(true.double().mean()):.1%}"


def _most(off, bound):
    return f"{sum(float((values > bound).double().mean()) > 0.5 for values in off.values()) / len(off):.0%}"


if __name__ == "__main__":
    main()
