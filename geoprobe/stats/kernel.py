"""The decorator of compiled functions: they release the GIL, and are kept on disk where that can be written."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from numba import njit

LOGGER = logging.getLogger(__name__)


def kernel(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Compile a function of numbers and arrays with numba, by ``@kernel`` or ``@kernel(option=...)``.

    A sum in any order (``fastmath={"reassoc", ...}``) in a kernel that others call needs ``forceinline=True``: a call
    may otherwise reach either of two copies, optimised apart, and the last digits depend on which was compiled when.
    """
    if function is None:
        return functools.partial(kernel, **options)
    try:
        compiled = njit(nogil=True, cache=True, **options)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        _tell_once("no folder of this user can be written")
        return njit(nogil=True, **options)(function)
    _guard(compiled)
    return compiled


def _guard(compiled: Any) -> None:
    """Let a kernel be used where it cannot be kept, such as on a full disk."""
    save = compiled._cache.save_overload

    def save_or_tell(signature: Any, data: Any) -> None:
        try:
            save(signature, data)
        except OSError as error:
            _tell_once(error.strerror or str(error))

    compiled._cache.save_overload = save_or_tell


@functools.cache
def _tell_once(reason: str) -> None:
    LOGGER.warning(
        "Compiled kernels are not kept (%s), so every start compiles them for about a minute. "
        "Set NUMBA_CACHE_DIR to a folder that can be written.",
        reason,
    )
