"""What holds for every compiled kernel."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("compiled_and_loaded.py")


def _results(cache, threads="2"):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache), "NUMBA_NUM_THREADS": threads}
    return subprocess.run([sys.executable, SCRIPT], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_kernels_just_compiled_give_the_bits_of_those_loaded_from_the_cache_on_one_thread_or_two(tmp_path):
    """One compiled in this process may call another's copy that was optimised otherwise, if it is not inlined."""
    compiled = _results(tmp_path)
    assert len(json.loads(compiled)["rotation"]) == 20 * 20
    assert _results(tmp_path) == compiled
    assert _results(tmp_path, "1") == compiled
