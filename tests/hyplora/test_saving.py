import copy
import json
import subprocess
import sys

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel, get_peft_model
from peft.utils.hotswap import hotswap_adapter
from safetensors.torch import load_file, save_file

from geoprobe.hyplora import HypLoraConfig, geometry

SETTINGS = {"curvature": 0.5, "r": 4, "init_lora_weights": False, "task_type": "CAUSAL_LM"}

FRESH = """
import sys
import torch
from peft import AutoPeftModelForCausalLM, PeftConfig

folder = sys.argv[1]
for load in (AutoPeftModelForCausalLM.from_pretrained, PeftConfig.from_pretrained):
    try:
        load(folder)
    except KeyError as error:
        assert "HYPLORA" in str(error), error
    else:
        raise AssertionError("loaded by a peft that does not know it")

import geoprobe

model = AutoPeftModelForCausalLM.from_pretrained(folder).eval()
with torch.no_grad():
    torch.save(model(torch.load(folder + "/ids.pt")).logits, folder + "/logits.pt")
"""


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def logits(model, ids):
    model.eval()
    with torch.no_grad():
        return model(ids).logits


@pytest.fixture
def saved(llama, ids, tmp_path):
    """A base and an adapter in folders, and what they give."""
    llama.save_pretrained(tmp_path / "base")
    base = type(llama).from_pretrained(tmp_path / "base")
    model = get_peft_model(base, HypLoraConfig(**SETTINGS))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".lora_space." in name:
                weight.add_(0.3 * torch.randn(1))
    model.save_pretrained(tmp_path / "adapter")
    return model, logits(model, ids), tmp_path


def test_a_fresh_process_gives_the_same_bits_and_without_geoprobe_names_the_method(saved, ids):
    _, expected, folder = saved
    torch.save(ids, folder / "adapter" / "ids.pt")
    # the same number of threads, which products' bits depend on
    program = FRESH.replace("import torch\n", "import torch\ntorch.set_num_threads(1)\n", 1)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(folder / "adapter")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert torch.equal(torch.load(folder / "adapter" / "logits.pt"), expected)


def test_the_saved_adapter_is_safetensors_with_its_geometry(saved):
    model, _, folder = saved
    files = {path.name for path in (folder / "adapter").iterdir()}
    assert files == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
    stored = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert (stored["peft_type"], stored["curvature"]) == ("HYPLORA", 0.5)
    tensors = load_file(folder / "adapter" / "adapter_model.safetensors")
    assert len(tensors) == 3 * 4
    learned = [0.5 * float(value.exp()) for name, value in tensors.items() if name.endswith(".lora_space.weight")]
    assert learned == pytest.approx([record.curvature for record in geometry(model)])


def test_auto_class_loads_it_and_a_trained_curvature_survives(saved, ids):
    model, expected, folder = saved
    loaded = AutoPeftModelForCausalLM.from_pretrained(str(folder / "adapter"))
    assert torch.equal(logits(loaded, ids), expected)
    assert [record.curvature for record in geometry(loaded)] == [record.curvature for record in geometry(model)]
    assert geometry(loaded)[0].started_at == 0.5


def test_the_model_card_says_what_it_is_and_how_to_load_it_once(saved):
    model, _, folder = saved
    for _ in range(2):  # saving again replaces the section
        card = (folder / "adapter" / "README.md").read_text()
        assert card.count("import geoprobe  #") == 1
        assert "- hyplora" in card
        assert "K started at 0.5, learned: " in card
        assert card.index("A HypLoRA adapter") < 600
        model.save_pretrained(folder / "adapter")


def test_the_card_of_a_fixed_or_a_reference_space_says_so(llama, tmp_path):
    fixed = get_peft_model(copy.deepcopy(llama), HypLoraConfig(**SETTINGS | {"curvature": 2.0}, learn_curvature=False))
    fixed.save_pretrained(tmp_path / "fixed")
    text = (tmp_path / "fixed" / "README.md").read_text()
    assert "K started at 2.\n" in text
    assert "learned" not in text.split("<!-- /hyplora -->")[0]
    shared = get_peft_model(copy.deepcopy(llama), HypLoraConfig(**SETTINGS | {"curvature": 1.0}, share_curvature=True))
    shared.save_pretrained(tmp_path / "shared")
    assert "K started at 1, learned: 1." in (tmp_path / "shared" / "README.md").read_text()
    reference = get_peft_model(llama, HypLoraConfig(**SETTINGS, hyplora_reference=True))
    reference.save_pretrained(tmp_path / "reference")
    assert "code released with the paper" in (tmp_path / "reference" / "README.md").read_text()


@pytest.mark.parametrize("changes", [{}, {"r": 2}, {"r": 8, "lora_alpha": 3}])
def test_hot_swapping_puts_another_adapter_in_its_place(saved, ids, changes):
    model, _, folder = saved
    other = get_peft_model(
        type(model.base_model.model).from_pretrained(folder / "base"), HypLoraConfig(**{**SETTINGS, **changes})
    )
    other.save_pretrained(folder / "other")
    hotswap_adapter(model, str(folder / "other"), adapter_name="default", torch_device="cpu")
    # a smaller adapter is padded with zeros, whose products round differently
    assert torch.allclose(logits(model, ids), logits(other, ids), atol=1e-6)


def test_hot_swapping_refuses_another_space(saved):
    model, _, folder = saved
    base = type(model.base_model.model).from_pretrained(folder / "base")
    get_peft_model(base, HypLoraConfig(**SETTINGS, chart="stereographic")).save_pretrained(folder / "other")
    with pytest.raises(ValueError, match="Configs are incompatible: for chart, exponential != stereographic"):
        hotswap_adapter(model, str(folder / "other"), adapter_name="default", torch_device="cpu")


def test_transformers_own_loading_of_adapters(saved, ids):
    model, expected, folder = saved
    plain = type(model.base_model.model).from_pretrained(folder / "base")
    plain.load_adapter(str(folder / "adapter"))
    assert torch.allclose(logits(plain, ids), expected, atol=1e-6)


def test_a_second_adapter_is_loaded_beside_the_first(saved, ids):
    model, expected, folder = saved
    base = type(model.base_model.model).from_pretrained(folder / "base")
    both = PeftModel.from_pretrained(base, folder / "adapter", adapter_name="one")
    both.load_adapter(folder / "adapter", adapter_name="two")
    both.set_adapter("two")
    assert torch.equal(logits(both, ids), expected)


def test_missing_weights_are_named(saved):
    model, _, folder = saved
    path = folder / "adapter" / "adapter_model.safetensors"
    tensors = load_file(path)
    gone = next(name for name in tensors if name.endswith("lora_space.weight"))
    del tensors[gone]
    save_file(tensors, path)
    base = type(model.base_model.model).from_pretrained(folder / "base")
    with pytest.warns(UserWarning, match="Found missing adapter keys .*lora_space.default.weight"):
        PeftModel.from_pretrained(base, folder / "adapter")
