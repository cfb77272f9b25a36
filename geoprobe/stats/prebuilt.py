"""Kernels compiled ahead: a file in the package, for one numba, one Python and a family of processors.

``python -m geoprobe.kernels`` writes it, when geoprobe is built or installed. It holds what numba's own cache
would, of each kernel at the types that its decorator lists, compiled for a processor that newer ones can stand in for.
It is read where all that it was made from is as it was then; elsewhere kernels are compiled when they are called.
"""

import functools
import hashlib
import os
import pickle
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
#: LLVM's name of a processor by machine, and what a processor must have to run code for it. x86-64-v3 is any with AVX2,
#: of 2013 or later; AVX-512 made no scan faster.
_PROCESSORS = {
    machine: ("x86-64-v3", {"+avx2", "+bmi", "+bmi2", "+f16c", "+fma", "+lzcnt", "+movbe", "+popcnt", "+sse4.2"})
    for machine in ("x86_64", "AMD64")
}
PROCESSOR, _FEATURES = _PROCESSORS.get(platform.machine(), ("generic", set()))
#: Bytes of a SHA-256, behind the line that says what the file was made from.
_DIGEST = 32


def location() -> Path:
    """Where the file for this Python and this numba is, or would be."""
    import numba

    return FOLDER / f"kernels-{sys.implementation.cache_tag}-{platform.machine()}-numba-{numba.__version__}.bin"


def load(function: Callable[..., Any], types: Any, target: Any) -> Any:
    """A kernel's code at these types, or None where there is none that fits."""
    kept = _kept().get(key(function, getattr(types, "args", types)))
    if kept is None:
        return None
    from numba.core.compiler import CompileResult

    target.refresh()
    return CompileResult._rebuild(target, *pickle.loads(kept))


def packed(code: dict[str, bytes]) -> bytes:
    """The file's bytes."""
    body = pickle.dumps(code)
    return _made_from() + hashlib.sha256(body).digest() + body


@functools.cache
def _kept() -> dict[str, bytes]:
    """Pickles by kernel and types; none where there is no file, or one of something else, or for another processor."""
    from numba import config
    from numba.core.codegen import get_host_cpu_features

    if os.environ.get("GEOPROBE_PREBUILT") == "0" or config.CPU_NAME or config.CPU_FEATURES is not None:
        return {}
    if not set(get_host_cpu_features().split(",")) >= _FEATURES:
        return {}
    body = read()
    return {} if body is None else pickle.loads(body)


def read() -> bytes | None:
    """The file's content, or None where it is not there, not whole, or made from something else."""
    try:
        whole = location().read_bytes()
    except OSError:
        return None
    made_from = _made_from()
    start = len(made_from) + _DIGEST
    body = whole[start:]
    return body if whole[:start] == made_from + hashlib.sha256(body).digest() else None


@functools.cache
def _made_from() -> bytes:
    """A line that names all that the code depends on."""
    import llvmlite
    import numba
    from llvmlite.binding import get_process_triple

    sources = hashlib.sha256()
    for source in sorted([*FOLDER.rglob("*_kernels.py"), FOLDER / "kernel.py", Path(__file__)]):
        sources.update(source.relative_to(FOLDER).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    versions = f"python {sys.version_info[0]}.{sys.version_info[1]}{sys.abiflags} numba {numba.__version__}"
    built_for = f"llvmlite {llvmlite.__version__} {get_process_triple()} {PROCESSOR}"
    return f"{versions} {built_for} {sources.hexdigest()}\n".encode()


def key(function: Callable[..., Any], types: Any) -> str:
    """A kernel at these types, as the file names it."""
    return f"{function.__module__}.{function.__qualname__}{tuple(types)}"
