"""Kernels compiled ahead: what of a file is used, and that a scan needs no other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import make_model

from geoprobe.stats import prebuilt, rank_kernels

ROOT = Path(prebuilt.__file__).resolve().parents[2]
BUILD_ONE = """
import sys
from pathlib import Path
from geoprobe import kernels
from geoprobe.stats import prebuilt, rank_kernels
prebuilt.location = lambda: Path(sys.argv[1])
kernels._kernels = lambda: [rank_kernels.ranks_within]
kernels.build()
"""


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    file = tmp_path_factory.mktemp("built") / "kernels.bin"
    subprocess.run([sys.executable, "-c", BUILD_ONE, str(file)], check=True)
    return file.read_bytes()


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """What is found in a file of this content."""
    monkeypatch.delenv("GEOPROBE_PREBUILT", raising=False)
    monkeypatch.setattr(prebuilt, "location", lambda: tmp_path / "kernels.bin")

    def of(content):
        (tmp_path / "kernels.bin").write_bytes(content)
        prebuilt._kept.cache_clear()
        return prebuilt._kept()

    yield of
    prebuilt._kept.cache_clear()


def _ranks_within():
    from numba import int64
    from numba.core.registry import cpu_target

    types = (int64[::1], int64)
    return prebuilt.load(rank_kernels.ranks_within.compiled.py_func, types, cpu_target.target_context)


def test_a_kernel_of_the_file_gives_what_python_gives(content, kept):
    codes = np.array([3, 0, 3, 1, 1, 3])
    assert len(kept(content)) == 1
    np.testing.assert_array_equal(
        _ranks_within().entry_point(codes, 4), rank_kernels.ranks_within.compiled.py_func(codes, 4)
    )


@pytest.mark.parametrize("spoil", ["empty", "half", "one bit", "longer", "foreign"])
def test_a_damaged_or_foreign_file_is_not_read(spoil, content, kept):
    spoilt = {
        "empty": b"",
        "half": content[: len(content) // 2],
        "one bit": content[:-1] + bytes([content[-1] ^ 1]),
        "longer": content + b"\0",
        "foreign": b"PK\x03\x04" + content,
    }
    assert kept(spoilt[spoil]) == {}
    assert _ranks_within() is None


def test_a_file_of_other_sources_or_versions_is_not_read(content, kept, monkeypatch):
    made_from = prebuilt._made_from()
    monkeypatch.setattr(prebuilt, "_made_from", lambda: made_from[:-2] + b"?\n")
    assert kept(content) == {}


def test_a_kernel_that_is_edited_is_noticed(tmp_path, monkeypatch):
    before = prebuilt._made_from()
    for source in [*prebuilt.FOLDER.rglob("*_kernels.py"), prebuilt.FOLDER / "kernel.py"]:
        copy = tmp_path / source.relative_to(prebuilt.FOLDER)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(source.read_bytes())
    monkeypatch.setattr(prebuilt, "FOLDER", tmp_path)
    monkeypatch.setattr(prebuilt, "__file__", str(tmp_path / "prebuilt.py"))
    (tmp_path / "prebuilt.py").write_bytes((ROOT / "geoprobe/stats/prebuilt.py").read_bytes())
    assert prebuilt._made_from.__wrapped__() == before
    with (tmp_path / "powerlaw" / "zeta_kernels.py").open("a") as file:
        file.write("#")
    assert prebuilt._made_from.__wrapped__() != before


@pytest.mark.skipif(not prebuilt._FEATURES, reason="the code is for any processor of this kind")
def test_a_processor_that_lacks_what_the_code_uses_does_not_get_it(content, kept, monkeypatch):
    monkeypatch.setattr("numba.core.codegen.get_host_cpu_features", lambda: "+sse4.2,+popcnt,-avx2")
    assert kept(content) == {}


@pytest.mark.parametrize("name", ["CPU_NAME", "CPU_FEATURES"])
def test_whoever_names_a_processor_gets_kernels_for_it(name, content, kept, monkeypatch):
    monkeypatch.setattr(f"numba.config.{name}", "generic" if name == "CPU_NAME" else "")
    assert kept(content) == {}


def test_they_can_be_switched_off(content, kept, monkeypatch):
    monkeypatch.setenv("GEOPROBE_PREBUILT", "0")
    assert kept(content) == {}


WORDS = "child,parent\n" + "".join(
    f"{child},{parent}\n"
    for parent, children in {"animal": "dog cat horse bird fish", "color": "red blue green black white"}.items()
    for child in children.split()
)


@pytest.fixture(scope="module")
def built():
    """All kernels, compiled ahead in this checkout."""
    subprocess.run([sys.executable, "-m", "geoprobe.kernels"], cwd=ROOT, check=True, capture_output=True)


def _scan(out, *words, **environment):
    cache = out / "numba"
    command = [sys.executable, "-m", "geoprobe", "scan", *words, "--format", "json", "--out", str(out)]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)} | environment
    environment.pop("GEOPROBE_PREBUILT", None)
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stderr
    return json.loads((out / "scan.json").read_text())["results"], said, sorted(cache.rglob("*.nbc"))


SOME = "curvature:tokens=64,samples=2,edges=50,text_tokens=64"


@pytest.mark.slow
@pytest.mark.parametrize("words", ["demo", f"demo --analyzer {SOME} --taxonomy words.csv --layer 1", "mapped"])
def test_a_scan_compiles_nothing(words, built, tmp_path):
    """A file here is named after a kernel: add the types of the call, which numba's index names, to its decorator."""
    (tmp_path / "words.csv").write_text(WORDS)
    make_model(tmp_path / "mapped")
    places = {name: str(tmp_path / name) for name in ("words.csv", "mapped")}
    _, said, compiled = _scan(tmp_path, *(places.get(word, word) for word in words.split()))
    assert [file.name for file in compiled] == []
    assert "compiles its numerical kernels" not in said


@pytest.mark.slow
def test_a_scan_gives_the_bits_of_one_whose_kernels_are_compiled_for_the_same_processor_when_called(built, tmp_path):
    words = ["demo", "--analyzer", "frequency", "--analyzer", "hyperbolicity:draws=19"]
    ahead, _, none = _scan(tmp_path / "ahead", *words)
    same = {"NUMBA_CPU_NAME": prebuilt.PROCESSOR, "NUMBA_CPU_FEATURES": "", "NUMBA_DISABLE_INTEL_SVML": "1"}
    called, _, some = _scan(tmp_path / "called", *words, **same)
    assert ahead == called
    assert not none
    assert some
