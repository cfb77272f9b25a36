"""Kernels compiled ahead: a file in the package, for one numba, one Python and a family of processors.

``python -m geoprobe.stats.prebuilt`` writes it, when geoprobe is built or installed. It holds what numba's own cache
would, of each kernel at the types that its decorator lists, compiled for a processor that newer ones can stand in for.
It is read where all that it was made from is as it was then; elsewhere kernels are compiled when they are called.
"""

import functools
import hashlib
import os
import pickle
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["build", "location"]

_FOLDER = Path(__file__).parent
#: LLVM's name of a processor by machine, and what a processor must have to run code for it. x86-64-v3 is any with AVX2,
#: of 2013 or later; AVX-512 made no scan faster.
_PROCESSORS = {
    machine: ("x86-64-v3", {"+avx2", "+bmi", "+bmi2", "+f16c", "+fma", "+lzcnt", "+movbe", "+popcnt", "+sse4.2"})
    for machine in ("x86_64", "AMD64")
}
_PROCESSOR, _FEATURES = _PROCESSORS.get(platform.machine(), ("generic", set()))
#: Bytes of a SHA-256, behind the line that says what the file was made from.
_DIGEST = 32


def location() -> Path:
    """Where the file for this Python and this numba is, or would be."""
    import numba

    return _FOLDER / f"kernels-{sys.implementation.cache_tag}-{platform.machine()}-numba-{numba.__version__}.bin"


def load(function: Callable[..., Any], types: Any, target: Any) -> Any:
    """A kernel's code at these types, or None where there is none that fits."""
    kept = _kept().get(_key(function, getattr(types, "args", types)))
    if kept is None:
        return None
    from numba.core.compiler import CompileResult

    target.refresh()
    return CompileResult._rebuild(target, *pickle.loads(kept))


def build() -> Path:
    """Compile every kernel at the types that its decorator lists, and write the file, if it is not there.

    Call it in a process of its own, before numba is imported: numba reads its settings then.

    Returns
    -------
    Path
        Of the file.
    """
    with tempfile.TemporaryDirectory() as empty:
        os.environ |= {"NUMBA_CACHE_DIR": empty, "NUMBA_CPU_NAME": _PROCESSOR, "NUMBA_CPU_FEATURES": ""}
        os.environ["NUMBA_DISABLE_INTEL_SVML"] = "1"
        from numba.core.serialize import dumps
        from numba.core.sigutils import normalize_signature

        from geoprobe.files import write_whole

        if _read() is not None:
            return location()
        code = {}
        for kernel in _kernels():
            compiled = kernel.compiled
            for signature in kernel.signatures:
                types, _ = normalize_signature(signature)
                compiled.compile(types)
                result = compiled.overloads[types]
                if result.library.has_dynamic_globals:
                    raise TypeError(f"{compiled.py_func.__qualname__} holds addresses of this process.")
                library, description, environment, typed, objectmode, lifted, _, *rest = result._reduce()
                # but for its listing, which names the folder that it was compiled in
                parts = (library, description, environment, typed, objectmode, lifted, "", *rest)
                code[_key(compiled.py_func, types)] = dumps(parts)
    body = pickle.dumps(code)
    write_whole({location(): _made_from() + hashlib.sha256(body).digest() + body})
    return location()


@functools.cache
def _kept() -> dict[str, bytes]:
    """Pickles by kernel and types; none where there is no file, or one of something else, or for another processor."""
    from numba import config
    from numba.core.codegen import get_host_cpu_features

    if os.environ.get("GEOPROBE_PREBUILT") == "0" or config.CPU_NAME or config.CPU_FEATURES is not None:
        return {}
    if not set(get_host_cpu_features().split(",")) >= _FEATURES:
        return {}
    body = _read()
    return {} if body is None else pickle.loads(body)


def _read() -> bytes | None:
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
    for source in sorted([*_FOLDER.rglob("*_kernels.py"), _FOLDER / "kernel.py", Path(__file__)]):
        sources.update(source.relative_to(_FOLDER).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    versions = f"python {sys.version_info[0]}.{sys.version_info[1]}{sys.abiflags} numba {numba.__version__}"
    built_for = f"llvmlite {llvmlite.__version__} {get_process_triple()} {_PROCESSOR}"
    return f"{versions} {built_for} {sources.hexdigest()}\n".encode()


def _key(function: Callable[..., Any], types: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}{tuple(types)}"


def _kernels() -> Iterator[Any]:
    """Those with types to be compiled at, file by file.

    They need numba and NumPy alone: the packages around them, which need more, are not imported.
    """
    from geoprobe.stats.kernel import Kernel

    for source in sorted(_FOLDER.rglob("*_kernels.py")):
        name = ".".join(("geoprobe.stats", *source.relative_to(_FOLDER).with_suffix("").parts))
        package = name.rpartition(".")[0]
        if package not in sys.modules:
            bare = sys.modules[package] = ModuleType(package)
            bare.__path__ = [str(source.parent)]
        for value in vars(import_module(name)).values():
            if isinstance(value, Kernel) and value.signatures and value.compiled.py_func.__module__ == name:
                yield value


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
