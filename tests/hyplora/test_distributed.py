import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

WORKER = Path(__file__).parent / "distributed_worker.py"


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrapping",
    [
        "ddp",
        "ddp-shared",
        "ddp-half",
        "fsdp1",
        "fsdp1-half-throughout",
        "fsdp1-peft",
        "fsdp1-peft-half",
        "fsdp1-peft-half-throughout",
        "fsdp2",
        "fsdp2-shared",
        "fsdp2-half-throughout",
        "zero3",
        "zero3-shared",
        "zero3-half",
    ],
)
def test_two_processes_take_the_step_of_one(wrapping, tmp_path):
    if wrapping.startswith("zero3"):
        pytest.importorskip("deepspeed", reason="deepspeed is not installed (DS_BUILD_OPS=0 builds nothing)")
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "DS_ACCELERATOR": "cpu"}
    command = [sys.executable, "-W", "ignore", str(WORKER), wrapping, str(tmp_path)]
    places = [os.environ | common | {"RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1")]
    workers = [subprocess.Popen(command, env=place, stderr=subprocess.PIPE, text=True) for place in places]
    errors = [worker.communicate(timeout=240)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], "\n".join(errors)
    outcome = torch.load(tmp_path / "outcome.pt")
    assert outcome["found"].keys() == outcome["expected"].keys()
    assert any(name.endswith("lora_space.weight") for name in outcome["found"])
    for name, expected in outcome["expected"].items():
        start, found = outcome["start"][name], outcome["found"][name]
        assert not torch.equal(expected, start), name
        # a step in bfloat16 is known to a few per cent, and to a weight's last digit
        within = 0.1 * (expected - start).float().norm() + 2e-3 * start.float().norm() if "-half" in wrapping else 1e-4
        assert (found.float() - expected.float()).norm() < within, name
