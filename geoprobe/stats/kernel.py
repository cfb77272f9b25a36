"""Compiled functions: by numba, imported at the first call of one.

Code comes from the file that was compiled ahead (`prebuilt`), or else from numba's cache, kept on disk where that can
be written, or else from its compiler.
"""

import functools
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

LOGGER = logging.getLogger(__name__)
#: Called once in a process, when a kernel had to be compiled that no cache held: a first run takes long, and says why.
ON_FIRST_COMPILATION: list[Callable[[], None]] = []
COMPILING = "The first run compiles its numerical kernels, which takes a minute or two; later ones find them."
_BUILDING = threading.RLock()


class Kernel:
    """A function that numba compiles when it is first called, or first met in another kernel.

    Its `signatures` are the types that it is compiled at ahead (`prebuilt`).
    """

    def __init__(self, build: Callable[[], Any], signatures: tuple[str, ...] = ()) -> None:
        self._build = build
        self._built: Any = None
        self.signatures = signatures

    @property
    def compiled(self) -> Any:
        """What numba makes of it."""
        if self._built is None:
            with _BUILDING:  # one for all threads
                if self._built is None:
                    self._built = self._build()
        return self._built

    @property
    def _numba_type_(self) -> Any:
        """How numba knows a function in the body of another."""
        from numba.core.registry import cpu_target

        compiled = self.compiled
        cpu_target.typing_context.refresh()
        return cpu_target.typing_context.resolve_value_type(compiled)

    def __call__(self, *arguments: Any) -> Any:
        """Call the compiled function."""
        return self.compiled(*arguments)


def kernel(*signatures: Any, **options: Any) -> Any:
    """Compile a function of numbers and arrays with numba, by ``@kernel`` or ``@kernel(option=...)``; without the GIL.

    ``@kernel("(float64[::1], int64)")`` names types that a scan calls it with from Python: at those it is compiled
    ahead, where geoprobe is built.

    A sum in any order (``fastmath={"reassoc", ...}``) in a kernel that others call needs ``forceinline=True``: a call
    may otherwise reach either of two copies, optimised apart, and the last digits depend on which was compiled when.
    """
    if signatures and callable(signatures[0]):
        return kernel(**options)(signatures[0])
    return lambda function: Kernel(functools.partial(_dispatcher, function, options), signatures)


def _dispatcher(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    from numba import njit

    from geoprobe.stats import prebuilt

    compiled = njit(nogil=True, **options)(function)
    unkept = ""
    try:
        compiled.enable_caching()
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        unkept = "no folder of this user can be written"
    cache = compiled._cache
    load, save = cache.load_overload, cache.save_overload

    def load_either(signature: Any, target: Any) -> Any:
        return prebuilt.load(function, signature, target) or load(signature, target)

    def save_or_tell(signature: Any, data: Any) -> None:
        _compiled_first()
        if unkept:
            _tell_once(unkept)
        try:
            save(signature, data)
        except OSError as error:  # such as a full disk
            _tell_once(error.strerror or str(error))

    cache.load_overload, cache.save_overload = load_either, save_or_tell
    return compiled


@functools.cache
def _compiled_first() -> None:
    for told in ON_FIRST_COMPILATION:
        told()
    if not ON_FIRST_COMPILATION and "ipykernel" in sys.modules:  # a notebook, where nobody else listens
        sys.stdout.write(f"{COMPILING}\n")


@functools.cache
def _tell_once(reason: str) -> None:
    LOGGER.warning(
        "Compiled kernels are not kept (%s), so every start compiles them for about a minute. "
        "Set NUMBA_CACHE_DIR to a folder that can be written.",
        reason,
    )
