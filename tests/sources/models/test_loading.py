import json
from pathlib import Path

import numpy as np
import pytest
from builders import make_model, write_safetensors

from geoprobe.errors import BadDataError, GeoprobeError, NotFoundError, UsageError
from geoprobe.sources.models.loading import open_model


def test_a_folder_gives_its_embedding_and_tokenizer(model_folder: Path) -> None:
    loaded = open_model(model_folder)
    table = loaded.table()
    assert (table.size, table.dimension, table.tied, table.lookup_scale) == (127, 16, True, 1.0)
    assert table.source.architecture == "llama"
    assert table.source.model == "tiny-llama"
    assert table.find("the") == loaded.tokenizer.encode(["the"])[0][0]
    assert table.special.sum() == 1


def test_one_safetensors_file_is_read_with_the_tokenizer_beside_it(model_folder: Path) -> None:
    assert open_model(model_folder / "model.safetensors").table().size == 127


def test_an_output_matrix_of_its_own_is_not_tied(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m", extra={"lm_head.weight": np.zeros((127, 16), np.float32)})
    assert open_model(folder).table().tied is False
    assert open_model(folder, tensor="lm_head.weight").table().source.tensor == "lm_head.weight"


def test_a_sharded_folder_is_read_through_its_index(model_folder: Path) -> None:
    (model_folder / "model.safetensors").rename(model_folder / "model-00001-of-00002.safetensors")
    write_safetensors(
        model_folder / "model-00002-of-00002.safetensors", {"lm_head.weight": np.ones((2, 2), np.float32)}
    )
    write_safetensors(model_folder / "unrelated.safetensors", {"shared.weight": np.ones((2, 2), np.float32)})
    index = {
        "model.embed_tokens.weight": "model-00001-of-00002.safetensors",
        "lm_head.weight": "model-00002-of-00002.safetensors",
    }
    (model_folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    loaded = open_model(model_folder)
    assert loaded.table().source.file == "model-00001-of-00002.safetensors"
    assert loaded.table().tied is False


def test_a_missing_shard_is_named(model_folder: Path) -> None:
    index = {"a": "model.safetensors", "b": "model-2.safetensors"}
    (model_folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    with pytest.raises(NotFoundError, match=r"lacks 1 of the 2 files its index names: model-2.safetensors"):
        open_model(model_folder).table()


def test_an_index_beside_one_whole_file_may_be_an_old_one(model_folder: Path) -> None:
    index = {"model.embed_tokens.weight": "model-00001-of-00002.safetensors"}
    (model_folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    assert open_model(model_folder).table().source.file == "model.safetensors"


def test_a_gemmas_scale_is_reported_and_not_applied(model_folder: Path) -> None:
    plain = open_model(model_folder).table()
    (model_folder / "config.json").write_text(json.dumps({"model_type": "gemma2"}))
    scaled = open_model(model_folder).table()
    assert scaled.lookup_scale == 4.0
    np.testing.assert_array_equal(scaled.vectors.read(0, 127), plain.vectors.read(0, 127))


def test_the_demo_is_smollm2(demo: Path) -> None:
    table = open_model("demo").table()
    assert (table.size, table.dimension) == (49152, 576)
    assert (table.source.name, table.source.dtype) == ("SmolLM2-135M-Instruct", "Q8_0")
    assert table.tied is True
    assert table.special.sum() == 17
    assert open_model(demo).table().source.sha256 == table.source.sha256


def test_a_folder_with_one_gguf_is_that_model(demo: Path, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").symlink_to(demo)
    assert open_model(tmp_path).table().size == 49152


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "kind", "message"),
    [
        ("missing/folder/x", None, NotFoundError, "There is no model at"),
        ("missing.gguf", None, NotFoundError, "There is no model at"),
        ("m.exe", b"x", UsageError, "is a .exe file, which cannot be scanned"),
        ("m.bin", b"x", BadDataError, "cannot be read as a PyTorch file"),
        ("m.gguf", b"not", BadDataError, "is not a GGUF file"),
        ("m.safetensors", b"not", BadDataError, "is not a safetensors file"),
        ("empty/readme.md", b"", NotFoundError, "holds no weights"),
    ],
)
def test_what_cannot_be_a_model_is_said(
    tmp_path: Path, name: str, content: bytes | None, kind: type[GeoprobeError], message: str
) -> None:
    path = tmp_path / name
    if path.suffix == ".bin":
        pytest.importorskip("torch", reason="without it, that it is not installed is what is said")
    if content is not None:
        write(path, content)
    with pytest.raises(kind, match=message):
        open_model(path if path.suffix != ".md" else path.parent).table()


@pytest.mark.parametrize(("content", "message"), [("{", "config.json is not JSON"), ("[]", "config.json holds list")])
def test_a_damaged_configuration_is_said(model_folder: Path, content: str, message: str) -> None:
    (model_folder / "config.json").write_text(content)
    with pytest.raises(BadDataError, match=message):
        open_model(model_folder)


def test_a_suffix_in_capitals_is_that_suffix(model_folder: Path) -> None:
    (model_folder / "model.safetensors").rename(model_folder / "MODEL.SAFETENSORS")
    assert open_model(model_folder / "MODEL.SAFETENSORS").table().size == 127


def test_an_empty_table_is_bad_data(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    write_safetensors(folder / "model.safetensors", {"model.embed_tokens.weight": np.zeros((0, 16), np.float32)})
    with pytest.raises(BadDataError, match=r"is empty \(0×16\)"):
        open_model(folder).table()


@pytest.mark.parametrize("name", ["../other.safetensors", "/etc/passwd", "..", "a/b.safetensors", "a\\b.safetensors"])
def test_a_shard_named_outside_the_folder_is_never_opened(model_folder: Path, name: str) -> None:
    write_safetensors(model_folder.parent / "other.safetensors", {"model.embed_tokens.weight": np.ones((127, 16))})
    index = {"model.embed_tokens.weight": name}
    (model_folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    with pytest.raises(BadDataError, match="which is not in its folder"):
        open_model(model_folder).table()


def test_a_tensor_in_two_files_is_bad_data(model_folder: Path) -> None:
    (model_folder / "other.safetensors").write_bytes((model_folder / "model.safetensors").read_bytes())
    (model_folder / "model.safetensors").rename(model_folder / "one.safetensors")
    with pytest.raises(BadDataError, match=r"is in both one\.safetensors and other\.safetensors"):
        open_model(model_folder).table()


def test_files_beside_model_safetensors_are_of_other_things_as_in_transformers(model_folder: Path) -> None:
    draft = {"embed_tokens.weight": np.zeros((127, 4), np.float32)}
    write_safetensors(model_folder / "draft.safetensors", draft)
    assert open_model(model_folder).table().dimension == 16


def test_an_output_matrix_is_opened_and_one_stored_twice_is_tied(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    other = rng.standard_normal((127, 16)).astype(np.float32)
    table = open_model(make_model(tmp_path / "a", extra={"lm_head.weight": other})).table()
    assert table.output is not None
    np.testing.assert_array_equal(table.output.take(np.array([5])), other[[5]])
    same = table.vectors.read(0, 127)
    twice = open_model(make_model(tmp_path / "b", extra={"lm_head.weight": same})).table()
    assert (twice.tied, twice.output) == (True, None)
