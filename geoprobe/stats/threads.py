"""Run independent tasks on threads: results in task order, Ctrl-C heard between tasks."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def run_tasks(
    function: Callable[[Task], Outcome], tasks: Iterable[Task], halted: Int[np.ndarray, "1"] | None = None
) -> list[Outcome]:
    """Results of ``function``, in the order of the tasks, on as many threads as numba may use (``NUMBA_NUM_THREADS``).

    The kernels release the GIL, so plain threads give the cores; unlike ``prange`` they can be called from a caller's
    own threads, and a task's result can depend on nothing but the task. Keep a task well below a second: an interrupt
    waits for the running tasks and drops the rest. ``halted`` is a flag that longer ones look at: it is set to 1 on an
    interrupt or error.
    """
    import numba

    waiting = list(tasks)
    workers = min(int(numba.get_num_threads()), len(waiting))
    if workers <= 1 and halted is None:
        return [function(task) for task in waiting]
    # with a flag even a single worker is a thread: this one stays free to hear Ctrl-C
    pool = ThreadPoolExecutor(max(1, workers))
    try:
        return list(pool.map(function, waiting))
    except BaseException:
        if halted is not None:
            halted[0] = 1
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Where matrices are multiplied on one thread.

    How many there are would show in the last bits, and on a busy machine they wait for one another.
    """
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1, "blas")
    return limits


def row_blocks(n: int, cost: int, target: int = 50_000_000) -> list[tuple[int, int]]:
    """Cut range(n) into blocks of about ``target`` operations where a row costs ``cost``.

    The cut depends on the problem alone, never on the number of threads.
    """
    step = max(1, min(n, target // max(1, cost)))
    return [(start, min(start + step, n)) for start in range(0, n, step)]
