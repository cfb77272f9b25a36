"""Which layers get adapters: by their role in the model, on its language part alone, the same for every method."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from geoprobe.errors import UsageError

#: The paper's, by their names in a Llama; in other models, the layers of the same roles.
PAPER_TARGETS = ("q_proj", "k_proj", "v_proj", "up_proj", "down_proj")

#: Ends of module names, and which of the paper's five kinds of layer each does the work of; fused ones do several.
ROLES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("q_proj", "q_b_proj", "wq", "query"), ("query",)),
    **dict.fromkeys(("k_proj", "wk", "key"), ("key",)),
    **dict.fromkeys(("v_proj", "wv", "value"), ("value",)),
    **dict.fromkeys(("kv_b_proj",), ("key", "value")),
    **dict.fromkeys(("qkv_proj", "query_key_value", "c_attn", "Wqkv", "in_proj_qkvz"), ("query", "key", "value")),
    **dict.fromkeys(("up_proj", "gate_up_proj", "fc1", "fc_in", "c_fc", "dense_h_to_4h"), ("up",)),
    **dict.fromkeys(("down_proj", "fc2", "fc_out", "mlp.c_proj", "dense_4h_to_h"), ("down",)),
}
_PAPER = ("query", "key", "value", "up", "down")


@dataclass(frozen=True)
class Targets:
    """Layers that get adapters, by their names in the model, in its order, and what those end in.

    `excluded` are parts of the model that have layers of such names and get none; the notes say what of the paper's
    five kinds is missing, and what was left out.
    """

    modules: tuple[str, ...]
    ends: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How many layers have each end."""
        return {end: sum(_ends_in(name, end) for name in self.modules) for end in self.ends}

    def config(self) -> dict[str, Any]:
        """As peft's configurations take it."""
        apart = "|".join(re.escape(part) for part in self.excluded)
        return {"target_modules": list(self.ends), **({"exclude_modules": rf"(?:{apart})\..*"} if apart else {})}


def find_targets(model: Any, targets: tuple[str, ...], called: str) -> Targets:
    """The layers of a model, without adapters, that are asked for by name, or by role where the paper's are."""
    layers = {name: module for name, module in model.named_modules() if _is_linear(module)}
    head = model.get_output_embeddings()
    layers = {name: module for name, module in layers.items() if module is not head}
    part = _language_part(model)
    inside = [name for name in layers if name.startswith(part)]
    notes: list[str] = []
    if targets == PAPER_TARGETS:
        experts = _has_expert_tensors(model)
        ends = [
            end
            for end, roles in ROLES.items()
            if any(_ends_in(name, end) for name in inside) and not (experts and roles[0] in ("up", "down"))
        ]
        missing = [role for role in _PAPER if role not in {role for end in ends for role in ROLES[end]}]
        if experts:
            notes.append("The experts' tensors, and dense layers of their names, get no adapters by any method.")
        elif missing:
            notes.append(f"Of the paper's five kinds of layer the model has none known as {', '.join(missing)}.")
    elif targets == ("all-linear",):
        ends = list(dict.fromkeys(name.rpartition(".")[2] for name in inside))
    else:
        ends = list(targets)
        for end in ends:
            if not any(_ends_in(name, end) for name in inside):
                raise UsageError(f"The model {called} has no layer {end!r}.", _nearest(end, inside))
    modules = tuple(name for name in inside if any(_ends_in(name, end) for end in ends))
    if not modules:
        raise UsageError(
            f"The model {called} has none of the paper's kinds of layer; it has {_listed(inside)}.",
            "Name some by --targets, or give --targets all-linear.",
        )
    outside = [name for name in layers if name not in inside and any(_ends_in(name, end) for end in ends)]
    excluded = tuple(dict.fromkeys(_apart(name, part) for name in outside))
    if excluded:
        notes.append(f"Adapters are on the language model alone: none in {', '.join(excluded)}.")
    return Targets(modules, tuple(ends), excluded, tuple(notes))


def _is_linear(module: Any) -> bool:
    import torch
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, torch.nn.Linear | Conv1D)


def _language_part(model: Any) -> str:
    """The beginning of the names of what reads text: of a multimodal model its decoder's, else nothing."""
    config = model.config
    if config.get_text_config(decoder=True) is config:
        return ""
    decoder = model.get_decoder()
    return next((f"{name}." for name, module in model.named_modules() if name and module is decoder), "")


def _has_expert_tensors(model: Any) -> bool:
    """Whether experts are stacked in tensors, on which methods differ in what they can adapt."""
    return any(".experts." in f".{name}" and value.ndim == 3 for name, value in model.named_parameters())


def _ends_in(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")


def _apart(name: str, part: str) -> str:
    """The largest part of the model that a layer is in and the language model is not."""
    pieces = name.split(".")
    for length in range(1, len(pieces)):
        prefix = ".".join(pieces[:length])
        if not part.startswith(f"{prefix}."):
            return prefix
    return name


def _listed(names: list[str]) -> str:
    counts = Counter(name.rpartition(".")[2] for name in names)
    return ", ".join(f"{end} × {count:,}" for end, count in counts.most_common(12)) or "no linear layer"


def _nearest(end: str, names: list[str]) -> str:
    ends = sorted({name.rpartition(".")[2] for name in names})
    near = difflib.get_close_matches(end, ends, 3, 0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"It has {_listed(names)}."


def differing(expected: Targets, adapted: Iterable[str]) -> str:
    """How the layers that a method adapted differ from those that were asked for; empty where they do not."""
    names, wanted = set(adapted), set(expected.modules)
    more, fewer = sorted(names - wanted), sorted(wanted - names)
    parts = [f"{len(more):,} others, such as {more[0]}"] if more else []
    parts += [f"not {len(fewer):,} of them, such as {fewer[0]}"] if fewer else []
    return " and ".join(parts)
