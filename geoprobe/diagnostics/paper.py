"""The numbers printed in the paper, to be shown beside a scan's own.

Yang et al., *Hyperbolic Fine-Tuning for Large Language Models*, NeurIPS 2025, arXiv 2410.04010.
"""

from __future__ import annotations

CITATION = "Yang et al., NeurIPS 2025 (arXiv 2410.04010)"

#: Words by falling frequency, group 1 to 4.
WORD_GROUPS: tuple[tuple[str, ...], ...] = (
    ("to", "in", "have", "that", "and", "is", "for"),
    ("how", "much", "many", "time", "cost"),
    ("animal", "fruit", "number", "color", "size"),
    ("dog", "cow", "apple", "banana", "380", "480", "purple", "red", "medium", "small", "large"),
)

#: Mean norm of each group, by model.
WORD_GROUP_NORMS: dict[str, tuple[float, ...]] = {
    "Gemma-7B": (3.160, 3.561, 3.765, 3.998),
    "LLaMA-7B": (0.951, 1.222, 1.325, 1.364),
    "LLaMA3-8B": (0.353, 0.456, 0.499, 0.569),
    "LLaMA-13B": (1.027, 1.429, 1.494, 1.501),
}

#: Exponents of token counts over its data sets (LLaMA3 tokenizer), smallest and largest.
GAMMA_RANGE: tuple[float, float] = (1.76, 1.95)

#: Relative δ of prompts, mean over MAWPS, SVAMP, GSM8K and AQuA, by model.
DELTA: dict[str, tuple[float, ...]] = {
    "LLaMA-7B": (0.08, 0.09, 0.10, 0.10),
    "LLaMA-13B": (0.08, 0.09, 0.09, 0.10),
    "Gemma-7B": (0.11, 0.11, 0.11, 0.12),
    "LLaMA3-8B": (0.06, 0.07, 0.07, 0.08),
}

#: Relative δ of the final hidden layer by model and data: base model, LoRA, DoRA, HypLoRA (tables 6 and 7).
FINAL_DELTA: dict[str, dict[str, tuple[float, ...]]] = {
    "Gemma-7B": {
        "AQuA": (0.31, 0.24, 0.23, 0.22),
        "GSM8K": (0.28, 0.21, 0.21, 0.20),
        "ARC-Challenge": (0.30, 0.35, 0.36, 0.25),
        "WinoGrande": (0.22, 0.32, 0.27, 0.27),
        "OpenBookQA": (0.30, 0.35, 0.38, 0.25),
    },
    "Gemma3-4B": {
        "AQuA": (0.17, 0.17, 0.19, 0.11),
        "GSM8K": (0.16, 0.20, 0.19, 0.11),
        "ARC-Challenge": (0.17, 0.21, 0.17, 0.20),
        "WinoGrande": (0.16, 0.16, 0.21, 0.12),
        "OpenBookQA": (0.17, 0.16, 0.17, 0.11),
    },
}
