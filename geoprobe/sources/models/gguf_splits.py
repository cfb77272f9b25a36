"""How a BPE vocabulary of a GGUF file splits text before it merges, by the name in ``tokenizer.ggml.pre``.

The names and expressions are those that llama.cpp knows; where its regular expressions cannot say a thing, they are as
the models' own tokenizers have them.
"""

from __future__ import annotations

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*" + _SPACES
_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = rf"{_CONTRACTIONS}|{_WORD}|\p{{N}}{{1,3}}" + _REST
_QWEN2 = rf"{_CONTRACTIONS}|{_WORD}|\p{{N}}" + _REST
_QWEN35 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + _SPACES
_JAIS2 = (
    rf"{_CONTRACTIONS}|{_WORD}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+"
    + "".join(rf"|\s{{{length}}}(?!\S)" for length in (512, 256, 128, 64, 32, 16, 8, 4, "1,2"))
    + r"|\s{1}"
)
#: Words in capitals and small letters: GPT-4o's are with their contractions, Tekken's without.
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SMALL, _CAPITALS = rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+", rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
_CASED = rf"{_SMALL}{_CONTRACTIONS}?|{_CAPITALS}{_CONTRACTIONS}?"
_MARKS = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*" + _SPACES
_TEKKEN = rf"{_SMALL}|{_CAPITALS}|\p{{N}}" + _MARKS
_GPT4O = rf"{_CASED}|\p{{N}}{{1,3}}" + _MARKS
_DIGITS3 = r"\p{N}{1,3}"
_CJK = "[一-龥ࠀ-一가-퟿]+"
_HAN = "[一-龥぀-ゟ゠-ヿ]+"
_ASCII_MARK = r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"
_DEEPSEEK = rf"{_ASCII_MARK}|[^\r\n\p{{L}}\p{{P}}\p{{S}}]?[\p{{L}}\p{{M}}]+| ?[\p{{P}}\p{{S}}]+[\r\n]*" + _SPACES
_SPARK = _DEEPSEEK.replace(r"+[\r\n]*|\s*[\r\n]+", r"+|[\r\n]")
_DEEPSEEK_MARKS = r"\s?[!-/:-~！-／：-～‘-‟　-。]+"
#: Cased letters, but for Georgian's small ones and the later additions to Latin.
_DEEPSEEK_LETTERS = r"\s?[\p{Lu}\p{Ll}\p{Lt}&&[^\x{10D0}-\x{10FF}\x{A790}-\x{A7FF}]]+"
_BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"
_NOT_HAN = "&&[^\\p{Han}]]"
_KIMI = "|".join(
    [
        r"[\p{Han}]+",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER[:-1]}{_NOT_HAN}*{_LOWER[:-1]}{_NOT_HAN}+{_CONTRACTIONS}?",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER[:-1]}{_NOT_HAN}+{_LOWER[:-1]}{_NOT_HAN}*{_CONTRACTIONS}?",
        _DIGITS3 + _REST,
    ]
)
_YOUTU = (
    "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + _HAN,
    rf"{_CASED}|\p{{N}}" + _MARKS,
)
_BAILING = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
_SEED = rf"{_CONTRACTIONS}|{_WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+" + _SPACES
_EXAONE_MOE = (
    _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?"
    r"|\s*[\r\n]|\s+(?!\S)|\s+"
)
_CHAMELEON = (
    "<sentinel:[0-9]+>",
    "(?:IMGIMG)(?:[A-I]{1,4})Z",
    r"[\t\n]|    |  ",
    r"\p{N}",
    r"[\p{P}!-/:-@\[-`{-~]",
    _GPT2,
)
_ASIAN = "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+"
#: Digits in groups of three from a number's end.
_GROUPED = r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))"
_LINES = r"[^\n]+|[\n]+"


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _named(names: str, *split: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(names.split(), split)


#: Vocabularies that split as GPT-2 does, each digit by itself.
SINGLE_DIGITS = _names("smollm starcoder refact command-r codeshell exaone minerva-7b mellum2")
#: Those that split as GPT-2 does.
GPT2 = _names(
    "gpt-2 gpt2 phi-2 mpt olmo jais trillion granite-docling exaone4 jina-es jina-de jina-v1-en "
    "jina-v2-es jina-v2-de jina-v2-code roberta-bpe gigachat a.x-4.0 mellum modern-bert"
)
#: Regular expressions, each splitting what the one before has left.
REGULAR: dict[str, tuple[str, ...]] = {
    **_named("llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano", _LLAMA3),
    **_named("dbrx smaug-bpe glm4 chatglm-bpe", _LLAMA3),
    **_named("qwen2 deepseek-r1-qwen megrez kormo f2llmv2 stablelm2 hunyuan solar-open grok-2", _QWEN2),
    **_named("qwen35", _QWEN35),
    **_named("jais-2", _JAIS2),
    **_named("tekken", _TEKKEN),
    **_named("gpt-4o llama4 kanana2 talkie minimax-m2 granite-embed-multi-97m", _GPT4O),
    **_named("deepseek-v3 hunyuan-dense joyai-llm hy_v4", _DIGITS3, _HAN, _DEEPSEEK),
    **_named("spark2_5", _DIGITS3, _HAN, _SPARK, r"\p{N}"),
    **_named("deepseek-llm", r"[\r\n]", _DEEPSEEK_LETTERS, _DEEPSEEK_MARKS, r"\s+$", _CJK, r"\p{N}+"),
    **_named("deepseek-coder", r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _CJK, r"\p{N}"),
    **_named("falcon", r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, "[0-9][0-9][0-9]"),
    **_named("bloom poro-chat gpt3-finnish", _BLOOM),
    **_named("viking", _BLOOM, r"\p{N}"),
    **_named("chameleon", *_CHAMELEON),
    **_named("tiny_aya cohere2moe", r"\d{1,3}(?=(?:\d{3})*\b)", _GPT4O),
    **_named("kimi-k2", _KIMI),
    **_named("superbpe", r"\p{N}+", r"\d{1,3}(?=(?:\d{3})*(?!\d))"),
    **_named("bailingmoe bailingmoe2 llada-moe", _BAILING),
    **_named("seed-coder", _SEED),
    **_named("ufakzeka", rf"{_WORD}|\p{{N}}" + _REST),
    **_named("afmoe", _GROUPED, _ASIAN, _DEEPSEEK),
    **_named("laguna", _LINES, _QWEN2),
    **_named("youtu", *_YOUTU),
    **_named("exaone-moe", _EXAONE_MOE),
    **_named("minicpm5", _DIGITS3, rf"{_CONTRACTIONS}|{_WORD}|\p{{N}}+" + _REST),
}
#: Those that take a whole piece that is a token before they merge.
WHOLE_WORDS = _names(
    "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano minicpm5 youtu tekken "
    "granite-embed-multi-97m"
)
#: Those whose tokens are text and not in GPT-2's alphabet of bytes, with spaces as ``▁``, and how they split.
RAW = _named("gemma4 granite-embed-multi-311m sarvam-moe", _LINES)
_KNOWN = SINGLE_DIGITS | GPT2 | REGULAR.keys() | RAW.keys()


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
