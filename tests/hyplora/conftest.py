"""Models small enough to adapt in every way; nothing is collected where the extra is not installed (test_installed)."""

import warnings
from importlib.util import find_spec

import pytest

INSTALLED = all(find_spec(name) for name in ("torch", "peft", "geoopt"))
collect_ignore_glob = [] if INSTALLED else ["test_[!i]*.py"]

if INSTALLED:
    import torch
    import transformers

    with warnings.catch_warnings():
        # it compiles its functions by a way that torch deprecates, as it is imported
        warnings.simplefilter("ignore", DeprecationWarning)
        import geoopt  # noqa: F401

    torch.set_num_threads(1)  # of no use to models this small

    @pytest.fixture(autouse=True)
    def _seed() -> None:
        torch.manual_seed(0)

    @pytest.fixture
    def llama() -> "transformers.LlamaForCausalLM":
        """Two layers of a Llama, at random."""
        config = transformers.LlamaConfig(
            vocab_size=64,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
        )
        return transformers.LlamaForCausalLM(config).eval()

    @pytest.fixture
    def gpt2() -> "transformers.GPT2LMHeadModel":
        """Two layers of a GPT-2, whose linear layers are Conv1D."""
        config = transformers.GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64)
        return transformers.GPT2LMHeadModel(config).eval()

    @pytest.fixture
    def ids() -> "torch.Tensor":
        """Four samples of seven tokens."""
        return torch.randint(0, 64, (4, 7), generator=torch.Generator().manual_seed(1))
