"""What holds for every compiled kernel."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("compiled_and_loaded.py")
#: Kernels compiled ahead are left aside.
COMPILED_HERE = os.environ | {"GEOPROBE_PREBUILT": "0"}


def _results(cache, threads="2"):
    environment = COMPILED_HERE | {"NUMBA_CACHE_DIR": str(cache), "NUMBA_NUM_THREADS": threads}
    return subprocess.run([sys.executable, SCRIPT], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_kernels_just_compiled_give_the_bits_of_those_loaded_from_the_cache_on_one_thread_or_two(tmp_path):
    """One compiled in this process may call another's copy that was optimised otherwise, if it is not inlined."""
    compiled = _results(tmp_path)
    assert len(json.loads(compiled)["rotation"]) == 20 * 37
    assert _results(tmp_path) == compiled
    assert _results(tmp_path, "1") == compiled


UNCACHED = """
from numba.core import caching
caching.CacheImpl._locator_classes = caching.FunctionCache._impl_class._locator_classes = []
import numpy as np
from geoprobe.stats.rank_kernels import products_of_pairs, ranks_within
print(products_of_pairs(np.eye(2))[0, 0], ranks_within(np.array([1, 0]), 2))
"""


def test_where_no_folder_can_be_written_kernels_compile_without_a_cache_and_one_line_says_so():
    process = subprocess.run(
        [sys.executable, "-c", UNCACHED], env=COMPILED_HERE, capture_output=True, text=True, check=True
    )
    assert process.stdout == "1.0 [2. 1.]\n"
    (line,) = process.stderr.splitlines()
    assert "no folder of this user can be written" in line
    assert "NUMBA_CACHE_DIR" in line


def test_a_full_disk_leaves_a_kernel_uncached_and_is_said(tmp_path, monkeypatch, caplog):
    from geoprobe.stats import kernel

    def full(*_):
        raise OSError(28, "No space left on device")

    kernel._tell_once.cache_clear()
    add = kernel.kernel(_one_more)
    monkeypatch.setattr(type(add.compiled._cache._impl), "reduce", full)
    assert add(1) == 2
    assert "No space left on device" in caplog.text


TOLD = """
from geoprobe.report.terminal import ScanProgress
from geoprobe.stats.rank_kernels import ranks_within
import numpy as np
with ScanProgress(quiet=QUIET):
    for _ in range(2):
        ranks_within(np.array([1, 0]), 2)
"""


def test_the_first_run_says_once_why_it_takes_long_and_later_ones_and_quiet_ones_do_not(tmp_path):
    said = [
        subprocess.run(
            [sys.executable, "-c", TOLD.replace("QUIET", str(quiet))],
            env=COMPILED_HERE | {"NUMBA_CACHE_DIR": str(tmp_path / folder)},
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for folder, quiet in (("a", False), ("a", False), ("b", True))
    ]
    assert said[0].count("compiles its numerical kernels") == 1
    assert said[1:] == ["", ""]


IN_A_NOTEBOOK = """
import sys, types
sys.modules["ipykernel"] = types.ModuleType("ipykernel")
import numpy as np
from geoprobe.stats.rank_kernels import ranks_within
ranks_within(np.array([1, 0]), 2)
"""


def test_a_notebook_is_told_too(tmp_path):
    said = subprocess.run(
        [sys.executable, "-c", IN_A_NOTEBOOK],
        env=COMPILED_HERE | {"NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.count("compiles its numerical kernels") == 1


def _one_more(x):
    return x + 1


REPORTS = Path(__file__).resolve().parents[2] / "reports"
DRAW = """
import sys
from geoprobe.cli import main
try:
    main()
finally:
    print(sorted({"numba", "scipy.stats", "torch", "transformers"} & set(sys.modules)))
"""


@pytest.mark.parametrize("command", ["report", "compare"])
def test_what_draws_again_imports_no_kernel(command, tmp_path):
    names = ["wordllama-256", "all-minilm-l6-v2"][: 1 if command == "report" else 2]
    words = [
        command,
        *(str(REPORTS / name / "scan.json") for name in names),
        "--out",
        str(tmp_path),
        "--format",
        "html",
    ]
    process = subprocess.run([sys.executable, "-c", DRAW, *words], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "report.html").stat().st_size > 10_000
