"""The Triton kernels, where no device is: by Triton's interpreter, and compiled for devices that are not here."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import missing

if importlib.util.find_spec("triton") is None:
    missing("triton", "Triton is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION:UserWarning"),  # Triton's own, of a default to come
]
WITHIN = {"mpmath": 1e-14, "torch.float64": 1e-13, "torch.float32": 1e-6, "torch.float16": 1e-3}


def test_kernels_by_tritons_interpreter_are_plain_operations_and_mpmaths_factor():
    worker = Path(__file__).with_name("interpreted_kernels.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(worker)],
        env=os.environ | {"TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout)
    assert {case.split(", ")[1] for case in errors} == set(WITHIN)
    for case, found in errors.items():
        assert max(found) < WITHIN[case.split(", ")[1]], case


@pytest.mark.parametrize("capability", [80, 86, 89, 90, 100])
def test_kernels_compile_for_a_device_that_is_not_here(capability):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from geoprobe.hyplora import row_kernels

    half, single, double, count = "*bf16", "*fp32", "*fp64", "i32"
    forward = (half, half, single, double, double, half, double, count, count, count)
    backward = (half, half, single, *(double,) * 5, half, half, half, half, double, count, count)
    for kernel, types_of, constants in (
        (row_kernels._forward, forward, (0, True, 8, 512, 32)),
        (row_kernels._forward, forward, (1, True, 16, 256, 128)),
        (row_kernels._forward, forward, (0, False, 1, 64, 1)),
        (row_kernels._backward, backward, (8, 32)),
        (row_kernels._backward, backward, (16, 128)),
    ):
        names = kernel.arg_names
        signature = dict(zip(names, (*types_of, *("constexpr",) * len(constants)), strict=True))
        fixed = {(len(types_of) + place,): value for place, value in enumerate(constants)}
        compiled = triton.compile(ASTSource(kernel, signature, fixed), target=GPUTarget("cuda", capability, 32))
        assert f".target sm_{capability}" in compiled.asm["ptx"]
        assert len(compiled.asm["cubin"]) > 1000
