"""Each kind of name through every command that takes a model: they start from one answer."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from builders import make_model, write_safetensors

from geoprobe.errors import NotFoundError, UsageError
from geoprobe.sources.models.loading import open_model, open_tokenizer
from geoprobe.sources.models.resolve import resolve_model
from geoprobe.sources.models.states import open_states

#: What takes a model; what runs it needs PyTorch.
COMMANDS = (open_model, open_tokenizer, *((open_states,) if find_spec("torch") else ()))
TABLE = np.random.default_rng(0).standard_normal((127, 16)).astype(np.float32)


def folder(path: Path) -> Path:
    return make_model(path / "m")


def safetensors_file(path: Path) -> Path:
    return folder(path) / "model.safetensors"


def other_file(path: Path) -> Path:
    return write_safetensors(folder(path) / "other.safetensors", {"model.embed_tokens.weight": TABLE})


def sharded(path: Path) -> Path:
    made = folder(path)
    (made / "model.safetensors").rename(made / "model-00001-of-00001.safetensors")
    index = {"model.embed_tokens.weight": "model-00001-of-00001.safetensors"}
    (made / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return made


def pytorch_folder(path: Path) -> Path:
    torch = pytest.importorskip("torch")
    made = folder(path)
    (made / "model.safetensors").unlink()
    torch.save({"model.embed_tokens.weight": torch.from_numpy(TABLE)}, made / "pytorch_model.bin")
    return made


def pytorch_file(path: Path) -> Path:
    return pytorch_folder(path) / "pytorch_model.bin"


def gguf_file(path: Path, name: str = "m.gguf") -> Path:
    import gguf

    writer = gguf.GGUFWriter(str(path / name), "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(["a", "b", "ab"])
    writer.add_token_types([1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_tensor("token_embd.weight", TABLE[:3])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path / name


def gguf_folder(path: Path) -> Path:
    (path / "g").mkdir()
    return gguf_file(path / "g").parent


def word_vectors(path: Path) -> Path:
    (path / "v.txt").write_text("the 1 2\nof 3 4\n")
    return path / "v.txt"


#: Kind of name to (rows of its table, what transformers loads: the folder's name and the GGUF file; None for nothing).
KINDS: dict[Callable[[Path], Path], tuple[int, tuple[str, str | None] | None]] = {
    folder: (127, ("m", None)),
    safetensors_file: (127, ("m", None)),
    other_file: (127, None),
    sharded: (127, ("m", None)),
    pytorch_folder: (127, ("m", None)),
    pytorch_file: (127, ("m", None)),
    gguf_file: (3, ("", "m.gguf")),
    gguf_folder: (3, ("g", "m.gguf")),
    word_vectors: (2, None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_name_is_one_model_to_every_command(kind: Callable[[Path], Path], tmp_path: Path) -> None:
    path = kind(tmp_path)
    rows, loaded = KINDS[kind]
    assert open_model(path).table().size == rows
    assert open_tokenizer(path).size == rows
    if loaded is None:
        with pytest.raises(UsageError, match=r"no model that runs|by their standard names"):
            resolve_model(path).pretrained()
        return
    where, options = resolve_model(path).pretrained()
    assert Path(where) == tmp_path / loaded[0]
    assert options.get("gguf_file") == loaded[1]
    assert options["local_files_only"] is True


@pytest.mark.parametrize("name", ["gpt2", "owner/name"])
def test_a_hub_id_is_one_to_every_command_and_a_folder_of_that_name_goes_before_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    location = resolve_model(name, revision="v1")
    assert (location.repository, location.revision) == (name, "v1")
    assert location.pretrained(offline=True) == (name, {"local_files_only": True, "revision": "v1"})
    make_model(tmp_path / name)
    assert resolve_model(name).pretrained()[1]["local_files_only"] is True
    assert open_model(name).table().size == open_tokenizer(name).size == 127


@pytest.mark.parametrize(
    "name", ["./nowhere", "a/b/c", "weights.gguf", "weights.GGUF", "m.safetensors", "~none/x", "v.vec"]
)
def test_what_is_not_there_and_no_hub_id_is_not_there_to_any_command(name: str) -> None:
    for command in COMMANDS:
        with pytest.raises(NotFoundError, match=f"There is no model at '{name}'"):
            command(name)


def test_the_demo_is_the_installed_file_to_every_command(demo: Path) -> None:
    where, options = resolve_model("demo").pretrained()
    assert Path(where, options["gguf_file"]) == demo


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("given", ["", "model.safetensors", "pytorch_model.bin"])
def test_hidden_states_are_read_from_what_the_table_is_read_from(given: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    model = LlamaModel(
        LlamaConfig(vocab_size=127, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=1)
    )
    path = make_model(tmp_path / "m")
    (path / "model.safetensors").unlink()
    model.save_pretrained(path)
    if given.endswith(".bin"):
        torch.save(model.state_dict(), path / given)
        (path / "model.safetensors").unlink()
    ids = np.arange(20, dtype=np.int64)
    ((layer,),) = open_states(path / given).read([ids], [0])
    np.testing.assert_array_equal(layer, open_model(path / given).table().vectors.take(ids))


def adapter(path: Path, base: str = "owner/base") -> Path:
    path.mkdir(exist_ok=True)
    write_safetensors(path / "adapter_model.safetensors", {"base_model.model.lm_head.lora_B.weight": TABLE})
    (path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base, "peft_type": "LORA"}))
    return path


@pytest.mark.parametrize("given", ["", "adapter_model.safetensors"])
def test_an_adapter_is_said_to_be_one_and_its_base_is_not_asked_for(given: str, tmp_path: Path) -> None:
    place = adapter(tmp_path / "a") / given
    for command in COMMANDS:
        with pytest.raises(UsageError, match=r"holds an adapter \(LORA\) of owner/base, and no model"):
            command(place)


def test_a_model_beside_an_adapter_is_scanned_and_not_run_as_another(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    place = adapter(make_model(tmp_path / "m"))
    assert open_model(place).table().size == 127
    with pytest.raises(UsageError, match="holds an adapter"):
        open_states(place)


def test_a_folder_of_the_hubs_cache_is_its_snapshot_and_is_named_by_its_repository(tmp_path: Path) -> None:
    repository, commit = tmp_path / "models--owner--some-name", "0123456789abcdef0123456789abcdef01234567"
    snapshot = make_model(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    make_model(repository / "snapshots" / commit[::-1])
    for place in (repository, snapshot):
        source = open_model(place).table().source
        assert (source.model, source.name, source.revision) == ("owner/some-name", "owner/some-name", commit)
        assert resolve_model(place).pretrained()[0] == str(snapshot)


def test_the_first_module_of_a_sentence_transformer_is_its_model(tmp_path: Path) -> None:
    make_model(tmp_path / "st" / "0_StaticEmbedding")
    (tmp_path / "st" / "modules.json").write_text(json.dumps([{"idx": 0, "path": "0_StaticEmbedding"}]))
    source = open_model(tmp_path / "st").table().source
    assert source.model == "st"
    for path in ("../other", "/etc", "..", "", 3, None):
        (tmp_path / "st" / "modules.json").write_text(json.dumps([{"idx": 0, "path": path}]))
        with pytest.raises(NotFoundError, match="holds no weights"):
            open_model(tmp_path / "st")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["checkpoint-500/model.safetensors", "trainer_state.json"],
            r"it has checkpoint-500/, trainer_state.json\..*\n.*: checkpoint-500",
        ),
        (["model.onnx"], r"it has model\.onnx\.\n.*save the model as safetensors"),
        (["tf_model.h5", "config.json"], r"TensorFlow"),
        (["weights.pth"], r"Name one of the files in it: weights\.pth"),
        (["a.gguf", "b.gguf"], r"Name one of the files in it: a\.gguf, b\.gguf"),
        ([], r"it has nothing\."),
    ],
)
def test_a_folder_without_weights_says_what_it_has_and_the_next_step(
    files: list[str], message: str, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(NotFoundError, match=message):
        resolve_model(tmp_path)


@pytest.mark.parametrize("kind", [gguf_file, safetensors_file, pytorch_file])
def test_a_file_without_a_suffix_is_known_by_its_first_bytes(kind: Callable[[Path], Path], tmp_path: Path) -> None:
    path = kind(tmp_path)
    named = path.rename(path.with_name("sha256-0123"))
    assert open_model(named).table().size == KINDS[kind][0]


def test_one_part_of_a_model_cut_across_its_width_is_refused(tmp_path: Path) -> None:
    for part in range(2):
        (tmp_path / f"consolidated.0{part}.pth").write_bytes(b"x")
    with pytest.raises(UsageError, match="is one of 2 parts"):
        resolve_model(tmp_path / "consolidated.00.pth")


def test_a_model_is_called_by_its_folder_and_not_by_what_its_configuration_was_copied_from(tmp_path: Path) -> None:
    place = make_model(tmp_path / "mine")
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"_name_or_path": "another/ancestor"}))
    assert open_model(place).table().source.name == "mine"
