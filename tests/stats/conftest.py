from collections.abc import Callable
from typing import Any

import numba
import pytest


@pytest.fixture
def on_one_thread() -> Callable[[Callable[[], Any]], Any]:
    """What a function returns where only one thread may run: results must be those of many."""

    def run(function: Callable[[], Any]) -> Any:
        threads = numba.get_num_threads()
        numba.set_num_threads(1)
        try:
            return function()
        finally:
            numba.set_num_threads(threads)

    return run
