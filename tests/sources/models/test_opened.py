import json
from pathlib import Path

import numpy as np
import pytest
from builders import WORDS, make_model, word_tokenizer, write_safetensors

from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.opened import alignment_notes
from geoprobe.sources.models.tokenizer import Tokenizer

IDS = len(WORDS) + 1


def notes(rows: int, config: dict[str, int] | None = None, added: tuple[str, ...] = ()) -> str:
    backend = word_tokenizer(WORDS)
    backend.add_tokens(list(added))  # type: ignore[attr-defined]
    tokenizer = Tokenizer(backend)
    return " ".join(alignment_notes(tokenizer, tokenizer.texts(rows), config or {}))


def test_one_to_one_says_nothing() -> None:
    assert notes(IDS, {"vocab_size": IDS}) == ""


@pytest.mark.parametrize(
    ("rows", "config", "added", "said"),
    [
        (IDS + 5, None, (), f"The last 5 of {IDS + 5} rows are padding: the tokenizer has {IDS} ids."),
        (IDS - 2, None, (), f"{IDS} ids, the embedding {IDS - 2} rows: tokens without a row: 2, some of the trained"),
        (IDS, None, ("<extra>",), "tokens without a row: 1, all of them added ones"),
        (IDS + 1, None, ("<extra>",), "Tokens added to the trained vocabulary without being special: 1."),
        (IDS, {"vocab_size": 99}, (), f"The configuration states 99 vocabulary entries, the embedding has {IDS} rows"),
    ],
)
def test_what_does_not_go_one_to_one_is_said(
    rows: int, config: dict[str, int] | None, added: tuple[str, ...], said: str
) -> None:
    assert said in notes(rows, config, added)


def test_padding_is_in_a_models_notes(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    padded = {"model.embed_tokens.weight": np.zeros((192, 16), np.float32)}
    write_safetensors(folder / "model.safetensors", padded)
    said = open_model(folder).table().source.notes
    assert said[0] == "The last 65 of 192 rows are padding: the tokenizer has 127 ids."


@pytest.mark.parametrize(
    ("whole", "text", "tied"), [(False, True, True), (None, True, True), (False, False, False), (True, None, True)]
)
def test_a_wrapper_is_tied_where_its_language_part_says_so(
    tmp_path: Path, whole: bool | None, text: bool | None, tied: bool
) -> None:
    folder = make_model(tmp_path / "m")
    config = {"text_config": {} if text is None else {"tie_word_embeddings": text}}
    config |= {} if whole is None else {"tie_word_embeddings": whole}
    (folder / "config.json").write_text(json.dumps(config))
    assert open_model(folder).table().tied is tied
