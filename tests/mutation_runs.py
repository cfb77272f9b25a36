"""Run pytest again and again, each time in a fork of a process that has the heavy libraries: see mutation.py.

Reads a JSON object a line (``tests``, ``cache``, ``limit``), and answers each with one: ``code``, None where the limit
was reached, and ``seconds``.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

#: What the statistics and their tests import; never geoprobe itself, which is mutated.
HEAVY = (
    "beartype",
    "hypothesis",
    "jaxtyping",
    "mpmath",
    "networkx",
    "ot",
    "pingouin",
    "pytest",
    "scipy.integrate",
    "scipy.interpolate",
    "scipy.optimize",
    "scipy.sparse.csgraph",
    "scipy.spatial.distance",
    "scipy.stats",
    "sklearn.isotonic",
    "sklearn.neighbors",
)
#: Bytes that a run may take.
MEMORY = 8 << 30


def preload() -> None:
    """Import what is slow to import, and have numba make its tables, which it does at the first compilation."""
    import numba

    for name in HEAVY:
        with contextlib.suppress(ImportError):
            import_module(name)
    numba.njit(lambda x: x + 1)(1)


def run(tests: list[str], cache: str) -> int:
    """Pytest in this process, without a word, in a session of its own."""
    import numba
    import pytest

    os.setsid()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with Path("output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ["NUMBA_CACHE_DIR"] = numba.config.CACHE_DIR = cache
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.path.insert(0, str(Path.cwd()))
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", *tests]))


def answer(tests: list[str], cache: str, limit: float) -> tuple[int | None, float]:
    """Exit code and seconds of a run in a fork."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        code = 70
        try:
            code = run(tests, cache)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        taken = time.monotonic() - began
        if ended:
            return os.waitstatus_to_exitcode(status), taken
        if taken > limit:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None, taken
        time.sleep(0.02)


if __name__ == "__main__":
    preload()
    for line in sys.stdin:
        code, seconds = answer(**json.loads(line))
        sys.stdout.write(json.dumps({"code": code, "seconds": seconds}) + "\n")
        sys.stdout.flush()
