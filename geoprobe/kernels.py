"""Compile the kernels ahead (`stats.prebuilt`): ``python -m geoprobe.kernels``, which hatch runs for every wheel."""

import os
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from geoprobe.files import write_whole
from geoprobe.stats import prebuilt
from geoprobe.stats.kernel import Kernel


def build() -> Path:
    """Compile every kernel at the types that its decorator lists, and write the file, if it is not there.

    Call it in a process of its own, before numba is imported: numba reads its settings then.
    """
    with tempfile.TemporaryDirectory() as empty:
        os.environ |= {"NUMBA_CACHE_DIR": empty, "NUMBA_CPU_NAME": prebuilt.PROCESSOR, "NUMBA_CPU_FEATURES": ""}
        os.environ["NUMBA_DISABLE_INTEL_SVML"] = "1"
        from numba.core.serialize import dumps
        from numba.core.sigutils import normalize_signature

        if prebuilt.read() is not None:
            return prebuilt.location()
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
                code[prebuilt.key(compiled.py_func, types)] = dumps(parts)
    write_whole({prebuilt.location(): prebuilt.packed(code)})
    return prebuilt.location()


def _kernels() -> Iterator[Any]:
    """Those with types to be compiled at, file by file.

    They need numba and NumPy alone: the packages around them, which need more, are not imported.
    """
    for source in sorted(prebuilt.FOLDER.rglob("*_kernels.py")):
        name = ".".join(("geoprobe.stats", *source.relative_to(prebuilt.FOLDER).with_suffix("").parts))
        package = name.rpartition(".")[0]
        if package not in sys.modules:
            bare = sys.modules[package] = ModuleType(package)
            bare.__path__ = [str(source.parent)]
        for value in vars(import_module(name)).values():
            if isinstance(value, Kernel) and value.signatures and value.compiled.py_func.__module__ == name:
                yield value


if __name__ == "__main__":
    sys.stdout.write(f"{build()}\n")
