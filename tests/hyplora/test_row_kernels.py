"""The Triton kernels, where no device is: by Triton's interpreter, and compiled for devices that are not here."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import missing
from packaging.version import Version

if importlib.util.find_spec("triton") is None:
    missing("triton", "Triton is not installed")
TRITON = Version(importlib.metadata.version("triton"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION:UserWarning"),  # Triton's own, of a default to come
]
WITHIN = {"mpmath": 1e-14, "torch.float64": 1e-13, "torch.float32": 1e-6, "torch.float16": 1e-3}


@pytest.mark.skipif(Version("3.7") > TRITON, reason="The interpreter of Triton 3.6 fails with NumPy 2.4.")
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
    forward = (half, half, single, double, double, half, double)
    backward = (half, half, single, *(double,) * 5, half, half, half, half, double)
    for kernel, arguments in (
        (row_kernels._forward, (*forward, count, count, count, 0, True, 8, 512, 32)),
        (row_kernels._forward, (*forward, count, count, count, 1, True, 16, 256, 128)),
        (row_kernels._forward, (*forward, count, 1, 1, 0, False, 1, 1, 1)),  # a launch has a width of 1 as a constant
        (row_kernels._backward, (*backward, count, count, 8, 32)),
        (row_kernels._backward, (*backward, count, count, 16, 128)),
        (row_kernels._backward, (*backward, count, 1, 1, 1)),
    ):
        constants = {(place,): value for place, value in enumerate(arguments) if not isinstance(value, str)}
        types_of = [value if isinstance(value, str) else "constexpr" for value in arguments]
        source = ASTSource(kernel, dict(zip(kernel.arg_names, types_of, strict=True)), constants)
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32))
        assert f".target sm_{capability}" in compiled.asm["ptx"]
        assert len(compiled.asm["cubin"]) > 1000
