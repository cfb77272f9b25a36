"""An adapter in lm-evaluation-harness, by the one line that registers the method before it loads (see the README)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import peft
import pytest
import torch
from builders import missing
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from geoprobe.hyplora import HypLoraConfig

ENTRY = "import geoprobe, lm_eval.__main__ as m; m.cli_evaluate()"


@pytest.fixture
def checkpoint(llama: LlamaForCausalLM, tmp_path: Path) -> Path:
    """A saved model with a tokenizer of 64 words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"<s>": 0, "</s>": 1, **{f"w{number}": number for number in range(2, 64)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="</s>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    llama.save_pretrained(tmp_path / "model")
    fast.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_the_one_line_evaluates_an_adapter_in_the_harness(checkpoint: Path, tmp_path: Path) -> None:
    """The harness's log-likelihoods are those of the adapted model, not of the base model."""
    try:
        import lm_eval  # noqa: F401
    except ImportError:
        missing("lm-eval", "lm-evaluation-harness is not installed: pip install 'lm_eval>=0.4.9'")
    model = LlamaForCausalLM.from_pretrained(checkpoint)
    adapted = peft.get_peft_model(model, HypLoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "down_proj"]))
    for name, weight in adapted.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(weight, std=0.5)
    adapted.save_pretrained(tmp_path / "adapter")

    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "rows.jsonl").write_text(json.dumps({"q": "w5 w9 w12", "options": [" w7", " w8"], "label": 0}) + "\n")
    (tasks / "words.yaml").write_text(
        "task: words\ndataset_path: json\ndataset_kwargs:\n  data_files:\n"
        f"    test: {tasks / 'rows.jsonl'}\n"
        "test_split: test\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: options\ndoc_to_target: label\n"
        "metric_list:\n  - metric: acc\n"
    )
    command = [sys.executable, "-c", ENTRY, "--model", "hf", "--tasks", "words", "--include_path", str(tasks)]
    command += ["--model_args", f"pretrained={checkpoint},peft={tmp_path / 'adapter'},dtype=float32", "--device", "cpu"]
    command += ["--output_path", str(tmp_path / "out"), "--log_samples"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache"), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

    (samples,) = (tmp_path / "out").rglob("samples_words_*.jsonl")
    row = json.loads(samples.read_text().splitlines()[0])
    found = [float(answer[0][0]) for answer in row["resps"]]
    adapted.eval()
    with torch.no_grad():
        logits = adapted(torch.tensor([[5, 9, 12]])).logits[0, -1].log_softmax(-1)
        with adapted.disable_adapter():
            plain = adapted(torch.tensor([[5, 9, 12]])).logits[0, -1].log_softmax(-1)
    assert found == pytest.approx([float(logits[7]), float(logits[8])], abs=1e-4)
    assert abs(found[0] - float(plain[7])) > 1e-3
