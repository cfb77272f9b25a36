"""The part of an adapter's model card that peft cannot know: what HypLoRA is, this adapter's space, how to load it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard
from peft.utils.other import get_pattern_key
from safetensors import safe_open

from geoprobe.hyplora.product import LARGEST_LOG_K
from geoprobe.versions import DISTRIBUTION

_WEIGHTS = "adapter_model.safetensors"
_SECTION = re.compile(r"<!-- hyplora -->.*?<!-- /hyplora -->\n", re.DOTALL)
_TEXT = """<!-- hyplora -->
A HypLoRA adapter (Yang et al., *Hyperbolic Fine-Tuning for Large Language Models*, NeurIPS 2025, arXiv 2410.04010),
made with geoprobe. It is not linear in its input, so it cannot be merged into the base model. peft alone does not know
it; with `pip install "{distribution}[finetune]"`:

```python
import geoprobe  # adds HYPLORA to peft
from peft import AutoPeftModelForCausalLM

model = AutoPeftModelForCausalLM.from_pretrained("path/of/this/adapter")
```

Rank {rank}, alpha {alpha:g}. Space: {space}.
<!-- /hyplora -->
"""


def describe(folder: str | Path, config: Mapping[str, Any]) -> None:
    """Write the section under the title of a folder's model card, if it has one, in place of an earlier section.

    ``config`` is a configuration's settings by name.
    """
    path = Path(folder) / "README.md"
    if not path.is_file():
        return
    card = ModelCard.load(path)
    card.data["tags"] = sorted({*(card.data.get("tags") or ()), "hyplora", "geoprobe"})
    section = _TEXT.format(
        distribution=DISTRIBUTION,
        rank=config["r"],
        alpha=config["lora_alpha"],
        space=_space(Path(folder) / _WEIGHTS, config),
    )
    text = _SECTION.sub("", card.text)
    title = re.search(r"^# .*\n", text, re.MULTILINE)
    end = title.end() if title else 0
    card.text = f"{text[:end]}\n{section}{text[end:]}"
    card.save(path)


def _space(weights: Path, config: Mapping[str, Any]) -> str:
    start = config["curvature"]
    if config["hyplora_reference"]:
        return f"the arithmetic of the code released with the paper, started at k = {start:g}"
    unit = ", in units of the layer's input width" if config["curvature_unit"] == "width" else ""
    starts = sorted(config["curvature_pattern"].values())
    words = f"{starts[0]:.4g} to {starts[-1]:.4g} by layer" if starts else f"{start:g}"
    text = f"{config['chart']} chart, curvature −1/K and radius √K{unit}; K started at {words}"
    values = _saved_curvatures(weights, config)
    if not values:
        return text
    if len(values) == 1:
        return f"{text}, learned: {values[0]:.4g}"
    return f"{text}, learned: {values[0]:.4g} to {values[-1]:.4g} over {len(values)} layers"


def _saved_curvatures(weights: Path, config: Mapping[str, Any]) -> list[float]:
    if not weights.is_file():
        return []
    with safe_open(weights, framework="pt") as file:
        names = [name for name in file.keys() if name.endswith(".lora_space.weight")]  # noqa: SIM118 (not a mapping)
        moved = {name: float(file.get_tensor(name)) for name in names}
    pattern, values = config["curvature_pattern"], []
    for name, value in moved.items():
        key = get_pattern_key(pattern, name.removesuffix(".lora_space.weight"))
        values.append(math.exp(min(math.log(pattern.get(key, config["curvature"])) + value, LARGEST_LOG_K)))
    return sorted(values)
