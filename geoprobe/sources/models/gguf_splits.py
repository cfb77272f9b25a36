"""How a byte-level vocabulary of a GGUF file splits text before it merges, by the name in ``tokenizer.ggml.pre``."""

from __future__ import annotations

__all__ = ["GPT2", "LLAMA3", "REGULAR", "SINGLE_DIGITS", "assumption"]

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*" + _SPACES
LLAMA3 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST
_QWEN2 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _REST
_QWEN35 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + _SPACES
#: Words in capitals and small letters: GPT-4o's are with their contractions, Tekken's without.
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SMALL, _CAPITALS = rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+", rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
_MARKS = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*" + _SPACES
_TEKKEN = rf"{_SMALL}|{_CAPITALS}|\p{{N}}" + _MARKS
_GPT4O = rf"{_SMALL}{_CONTRACTIONS}?|{_CAPITALS}{_CONTRACTIONS}?|\p{{N}}{{1,3}}" + _MARKS

#: Vocabularies that split as GPT-2 does, each digit by itself.
SINGLE_DIGITS = frozenset(("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"))
GPT2 = frozenset(("gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "trillion", "roberta-bpe", "jina-v2-code"))
REGULAR = {
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe", "falcon3", "falcon-h1"), LLAMA3),
    **dict.fromkeys(("pixtral", "midm-2.0", "lfm2", "jina-v5-nano"), LLAMA3),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "megrez", "kormo", "f2llmv2"), _QWEN2),
    "qwen35": _QWEN35,
    "tekken": _TEKKEN,
    **dict.fromkeys(("gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"), _GPT4O),
}
_KNOWN = SINGLE_DIGITS | GPT2 | REGULAR.keys()


def assumption(pre: str | None) -> str | None:
    """What had to be assumed of a pre-tokenizer; None for one that is known."""
    if pre in _KNOWN:
        return None
    # llama.cpp writes "default" where it knows of none
    said = (
        "names no pre-tokenizer"
        if pre in (None, "default")
        else f"has the pre-tokenizer {str(pre)[:40]!r}, unknown here"
    )
    return f"The file {said}: text is split as GPT-2 does, and the model's own tokenizer may split it otherwise."
