"""The bound on a normalizer's growth, against `tokenizers` itself."""

import base64
import json
import struct
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import Regex, normalizers

from geoprobe.errors import is_failure
from geoprobe.sources.models.normalizer_growth import TRUSTED, growth, stated_normalizer

WRITTEN = st.text("ab ▁ﷺİé", max_size=6)
REPLACED = st.tuples(st.text("ab ▁ﷺ", min_size=1, max_size=2), WRITTEN).map(lambda pair: normalizers.Replace(*pair))
EXPRESSIONS = st.tuples(st.sampled_from(["a*", " {2,}", r"\s+", "(?=b)", "a|b", ""]), WRITTEN).map(
    lambda pair: normalizers.Replace(Regex(pair[0]), pair[1])
)
BUILT_IN = st.sampled_from(
    [
        *(normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(), normalizers.Lowercase()),
        *(normalizers.StripAccents(), normalizers.BertNormalizer(), normalizers.Nmt(), normalizers.ByteLevel()),
    ]
)
STEPS = st.lists(st.one_of(REPLACED, EXPRESSIONS, BUILT_IN, WRITTEN.map(normalizers.Prepend)), max_size=5)


@given(STEPS, st.text("ab ▁ﷺİé語\u0344", min_size=1, max_size=20))
def test_no_text_grows_beyond_the_bound(steps: list[Any], text: str) -> None:
    normalizer = normalizers.Sequence(steps)
    bound = growth(json.loads(normalizer.__getstate__()))
    try:
        made = normalizer.normalize_str(text)
    except BaseException as error:  # some rules make the library panic
        assume(not is_failure(error))
        raise
    # an expression may find nothing behind the last character, too
    assert len(made) <= bound * (len(text) + 1)


def test_unicodes_longest_decomposition_has_18_characters() -> None:
    """By Python's own tables."""
    characters = map(chr, [*range(0xD800), *range(0xE000, 0x110000)])
    assert max(len(unicodedata.normalize("NFKD", character)) for character in characters) == 18


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")],  # Llama's
        [normalizers.BertNormalizer()],
        [normalizers.NFC()],  # Qwen's
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Replace(" ", "▁")],
    ],
)
def test_known_models_are_trusted(steps: list[Any]) -> None:
    assert growth(json.loads(normalizers.Sequence(steps).__getstate__())) <= TRUSTED


def test_sentencepieces_table_counts_by_its_longest_text() -> None:
    table = base64.b64encode(struct.pack("<I", 8) + bytes(8) + b"a\0" + "語語語".encode() + b"\0b").decode()
    step = {"type": "Precompiled", "precompiled_charsmap": table}
    assert growth(step) == 3
    assert growth({"type": "Sequence", "normalizers": [step, {"type": "Sequence", "normalizers": [step]}]}) == 9


def test_a_normalizer_is_found_without_reading_the_rest() -> None:
    described = {"type": "NFC"}
    content = {"model": {"vocab": {"a": 0}}, "normalizer": described, "added_tokens": [{"id": 0, "content": "a"}]}
    assert stated_normalizer(json.dumps(content).encode()) == described
    assert stated_normalizer(b'{"normalizer": null}') is None
    with pytest.raises(ValueError, match=r"truncated|malformed|invalid"):
        stated_normalizer(b'{"normalizer": {')
