"""One of two processes: train one step of an adapted Llama over gloo, and write what came out.

python distributed_worker.py WRAPPING FOLDER, with torch's RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set.
"""

import functools
import sys
from pathlib import Path

import torch
import transformers
from peft import get_peft_model
from peft.utils import get_peft_model_state_dict
from peft.utils.other import fsdp_auto_wrap_policy
from torch import distributed
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from geoprobe.hyplora import HypLoraConfig


def adapted(wrapping: str) -> torch.nn.Module:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=False,
    )
    settings = HypLoraConfig(
        r=4,
        init_lora_weights=False,
        target_modules=["q_proj", "down_proj"],
        curvature=0.05,
        share_curvature=wrapping.endswith("-shared"),
    )
    base = transformers.LlamaForCausalLM(config)
    if "-half" in wrapping:
        base = base.to(torch.bfloat16)
    return get_peft_model(base, settings, autocast_adapter_dtype=not wrapping.endswith("-half-throughout"))


def one_step(model: torch.nn.Module, forward: torch.nn.Module, ids: torch.Tensor) -> None:
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=0.5)
    forward(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()


def main() -> None:
    wrapping, folder = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    # gradients of two halves' mean losses average to those of the whole
    ids = torch.randint(0, 64, (4, 9), generator=torch.Generator().manual_seed(1))
    whole = adapted(wrapping)
    one_step(whole, whole, ids)
    expected = get_peft_model_state_dict(whole)

    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    model = adapted(wrapping)
    if wrapping.startswith("ddp"):
        forward = torch.nn.parallel.DistributedDataParallel(model)
        one_step(model, forward, ids[2 * rank : 2 * rank + 2])
        found = get_peft_model_state_dict(model)
    elif wrapping.startswith("fsdp1"):
        from torch.distributed.fsdp import FullyShardedDataParallel as Fsdp
        from torch.distributed.fsdp import StateDictType
        from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy

        policy = functools.partial(transformer_auto_wrap_policy, transformer_layer_cls={LlamaDecoderLayer})
        if "-peft" in wrapping:
            policy = fsdp_auto_wrap_policy(model)
        sharded = Fsdp(
            model, auto_wrap_policy=policy, use_orig_params="-peft" not in wrapping, device_id=torch.device("cpu")
        )
        one_step(sharded, sharded, ids[2 * rank : 2 * rank + 2])
        with Fsdp.state_dict_type(sharded, StateDictType.FULL_STATE_DICT):
            state = sharded.state_dict()
        # peft's own selection looks for the names of an unwrapped model
        found = {key.replace(".default", ""): value for key, value in state.items() if ".lora_" in key}
    elif wrapping.startswith("zero3"):
        import deepspeed

        choices = {
            "train_micro_batch_size_per_gpu": 2,
            # with no weight kept whole: those of so small a model would be by default
            "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0},
            "zero_allow_untested_optimizer": True,
            "bf16": {"enabled": "-half" in wrapping},
        }
        trainable = [each for each in model.parameters() if each.requires_grad]
        engine, *_ = deepspeed.initialize(model=model, optimizer=torch.optim.SGD(trainable, lr=0.5), config=choices)
        part = ids[2 * rank : 2 * rank + 2]
        engine.backward(engine(input_ids=part, labels=part).loss)
        engine.step()
        with deepspeed.zero.GatheredParameters(list(model.parameters())):
            found = {name: value.clone() for name, value in get_peft_model_state_dict(model).items()}
    else:
        from torch.distributed.fsdp import fully_shard

        for layer in model.base_model.model.model.layers:
            fully_shard(layer)
        fully_shard(model)
        one_step(model, model, ids[2 * rank : 2 * rank + 2])
        state = {key: value.full_tensor() for key, value in model.state_dict().items()}
        found = get_peft_model_state_dict(model, state_dict=state)
    start = get_peft_model_state_dict(adapted(wrapping))
    if rank == 0:
        torch.save({"expected": expected, "found": found, "start": start}, folder / "outcome.pt")
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
