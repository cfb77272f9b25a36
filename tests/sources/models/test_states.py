import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import make_model, missing, needs_gpu

from geoprobe.errors import BadDataError, GeoprobeError, UsageError
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.states import ModelStates, open_states

try:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5Model
except ImportError:
    missing("finetune", "PyTorch is not installed: pip install '.[finetune]'")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

PROMPTS = [np.array(ids, dtype=np.int64) for ids in ([5, 6, 7, 8, 9, 10], [3, 4], [11, 12, 13])]


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=127, hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "llama")
    return tmp_path / "llama"


def test_padding_and_batches_change_nothing_against_one_prompt_at_a_time(llama: Path) -> None:
    states = open_states(llama)
    assert states.layers == 3
    many = states.read(PROMPTS, [0, 1, 3])
    for which, layer in enumerate([0, 1, 3]):
        for place, ids in enumerate(PROMPTS):
            with torch.inference_mode():
                one = torch.from_numpy(ids)[None].to(states.model.device)
                alone = states.model(one, output_hidden_states=True).hidden_states[layer][0]
            np.testing.assert_allclose(many[which][place], alone.cpu().numpy(), atol=1e-5)


def test_on_a_gpu_states_are_those_of_a_cpu(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_gpu()
    there = open_states(llama)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    here = open_states(llama)
    assert (there.model.device.type, here.model.device.type) == ("cuda", "cpu")
    for mine, theirs in zip(there.read(PROMPTS, [0, 1, 3]), here.read(PROMPTS, [0, 1, 3]), strict=True):
        for found, expected in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_model_that_a_gpu_has_no_room_for_runs_on_the_cpu(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 10**9))
    states = open_states(llama)
    assert states.model.device.type == "cpu"
    assert states.read(PROMPTS, [3])[0][1].shape == (2, 16)


def test_layer_0_of_the_demo_is_its_embedding_table(demo: Path) -> None:
    ids = np.arange(100, 140)
    ((first,), (last,)) = open_states("demo").read([ids], [0, 30])
    np.testing.assert_array_equal(first, open_model("demo").table().vectors.take(ids))
    assert last.shape == first.shape
    assert not np.allclose(first, last)


def test_an_encoder_decoder_is_read_by_its_encoder(tmp_path: Path) -> None:
    T5Model(T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2)).save_pretrained(tmp_path)
    states = open_states(tmp_path)
    assert states.layers == 2
    assert states.read([np.array([1, 2, 3])], [2])[0][0].shape == (3, 16)


def test_a_layer_that_is_not_there_is_named(llama: Path) -> None:
    with pytest.raises(UsageError, match="no layer 4: it has 3 blocks"):
        open_states(llama).read(PROMPTS, [4])


def test_states_that_are_not_finite_are_refused(llama: Path) -> None:
    states = open_states(llama)
    with torch.no_grad():
        states.model.layers[0].mlp.down_proj.weight.fill_(float("nan"))
    with pytest.raises(BadDataError, match="Layer 1 of"):
        ModelStates(states.model, "llama").read(PROMPTS, [1])


def test_weights_that_do_not_make_a_model_are_named(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "embedding-only")
    (folder / "config.json").write_text('{"model_type": "no-such-architecture"}')
    with pytest.raises(GeoprobeError, match="cannot be loaded to run it"):
        open_states(folder)


def test_without_pytorch_the_error_names_the_extra(model_folder: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from geoprobe.cli import main\n"
        f"main(['scan', {str(model_folder)!r}, '--layer', 'final', '--out', {str(model_folder / 'out')!r}])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 3
    assert "geoprobe-lm[finetune]" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (model_folder / "out").exists()
