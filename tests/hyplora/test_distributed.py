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
@pytest.mark.parametrize("wrapping", ["ddp", "ddp-shared", "fsdp1", "fsdp2", "fsdp2-shared"])
def test_two_processes_take_the_step_of_one(wrapping, tmp_path):
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    command = [sys.executable, "-W", "ignore", str(WORKER), wrapping, str(tmp_path)]
    workers = [
        subprocess.Popen(command, env=os.environ | common | {"RANK": rank}, stderr=subprocess.PIPE, text=True)
        for rank in ("0", "1")
    ]
    errors = [worker.communicate(timeout=240)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], "\n".join(errors)
    outcome = torch.load(tmp_path / "outcome.pt")
    assert outcome["found"].keys() == outcome["expected"].keys()
    assert any(name.endswith("lora_space.weight") for name in outcome["found"])
    for name, expected in outcome["expected"].items():
        assert not torch.equal(expected, outcome["start"][name])
        assert torch.allclose(outcome["found"][name], expected, rtol=1e-4, atol=1e-5), name
