import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import Hostile, make_model

from geoprobe.errors import BadDataError, NotFoundError
from geoprobe.sources.models.loading import open_model

torch = pytest.importorskip("torch")
ARRAY = torch.randn(127, 16, generator=torch.Generator().manual_seed(0))
NAME = "model.embed_tokens.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make_model(tmp_path / "m")
    (made / "model.safetensors").unlink()
    return made


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "float64", "float8_e4m3fn"])
def test_rows_equal_torchs(folder: Path, kind: str) -> None:
    stored = ARRAY.to(getattr(torch, kind))
    torch.save({NAME: stored, "lm_head.weight": torch.ones(127, 16)}, folder / "pytorch_model.bin")
    table = open_model(folder).table()
    np.testing.assert_array_equal(table.vectors.read(0, 127), stored.float().numpy())
    np.testing.assert_array_equal(table.vectors.take(np.array([9, 1])), stored.float().numpy()[[9, 1]])
    assert (table.tied, table.source.file) == (False, "pytorch_model.bin")
    assert table.output is not None


def test_the_digest_is_that_of_the_same_numbers_in_safetensors(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    torch.save({NAME: ARRAY.bfloat16()}, folder / "model.pt")
    other = make_model(tmp_path / "other")
    save_file({NAME: ARRAY.bfloat16()}, str(other / "model.safetensors"))
    sources = [open_model(path).table().source for path in (folder / "model.pt", other)]
    assert sources[0].sha256 == sources[1].sha256
    assert sources[0].dtype == sources[1].dtype == "BF16"


def test_shards_are_read_through_their_index(folder: Path) -> None:
    torch.save({NAME: ARRAY}, folder / "pytorch_model-00001-of-00002.bin")
    torch.save({"lm_head.weight": ARRAY * 2}, folder / "pytorch_model-00002-of-00002.bin")
    index = {NAME: "pytorch_model-00001-of-00002.bin", "lm_head.weight": "pytorch_model-00002-of-00002.bin"}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": index}))
    table = open_model(folder).table()
    assert table.output is not None
    np.testing.assert_array_equal(table.output.read(0, 127), 2 * table.vectors.read(0, 127))


def test_a_tensor_in_two_files_is_bad_data(folder: Path) -> None:
    for name in ("pytorch_model.fp16.bin", "pytorch_model.fp32.bin"):
        torch.save({NAME: ARRAY}, folder / name)
    with pytest.raises(BadDataError, match=r"is in both pytorch_model.fp16.bin and pytorch_model.fp32.bin"):
        open_model(folder).table()
    (folder / "pytorch_model.fp32.bin").unlink()
    assert open_model(folder).table().source.file == "pytorch_model.fp16.bin"


def test_one_whole_file_goes_before_an_old_index(folder: Path) -> None:
    torch.save({NAME: ARRAY}, folder / "pytorch_model.bin")
    index = {"weight_map": {NAME: "pytorch_model-00001-of-00002.bin"}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert open_model(folder).table().source.file == "pytorch_model.bin"


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_never_runs(folder: Path, zipped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    path = folder / "pytorch_model.bin"
    if zipped:
        torch.save({NAME: ARRAY, "x": Hostile()}, path)
    else:
        path.write_bytes(pickle.dumps({NAME: Hostile()}))
    with pytest.raises(BadDataError, match="cannot be read as a PyTorch file of tensors alone"):
        open_model(folder).table()
    assert not (folder / "owned").exists()


def test_without_torch_the_error_says_to_convert(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({NAME: ARRAY}, folder / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(NotFoundError, match=r"torch is not installed\.\nConvert it to safetensors"):
        open_model(folder).table()


def test_a_file_of_something_else_is_bad_data(folder: Path) -> None:
    torch.save([ARRAY], folder / "pytorch_model.bin")
    with pytest.raises(BadDataError, match="holds list, not tensors by name"):
        open_model(folder).table()


def test_scanning_safetensors_never_imports_torch(model_folder: Path) -> None:
    code = (
        "import sys; from geoprobe.sources.models.loading import open_model; import geoprobe.scanning\n"
        f"open_model({str(model_folder)!r}).table(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
