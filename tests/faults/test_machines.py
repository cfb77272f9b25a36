"""The same bytes on machines of another language, time zone, number of threads and order of sets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from builders import PATHS

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
MACHINES: dict[str, dict[str, str]] = {
    "ascii": {**ASCII, "TZ": "UTC", "PYTHONHASHSEED": "1", "NUMBA_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"},
    "chatham": {"LC_ALL": "C.UTF-8", "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "2", "NUMBA_NUM_THREADS": "2"},
    "turkish": {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "3"},
}


def command(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "geoprobe", *map(str, arguments)],
        env=os.environ | PATHS | environment,
        capture_output=True,
        timeout=300,
        check=False,
    )


def turkish(tmp_path: Path) -> dict[str, str]:
    """Where the Turkish locale is, made here if the system has none."""
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.lower()
    if "tr_tr.utf8" in known:
        return {}
    made = tmp_path / "tr_TR.UTF-8"
    try:
        subprocess.run(["localedef", "-i", "tr_TR", "-f", "UTF-8", made], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the system has no Turkish locale, nor what it is made of (package locales)")
    return {"LOCPATH": str(tmp_path)}


@pytest.mark.parametrize("name", [name for name in MACHINES if name != "ascii"])
def test_a_report_has_the_same_bytes(model_folder: Path, tmp_path: Path, name: str) -> None:
    more = turkish(tmp_path) if name == "turkish" else {}
    corpus = tmp_path / "İıŞş.txt"  # whose lower case depends on the language, if one asks for it
    corpus.write_text("the of İI iı\n\nthe of and to", encoding="utf-8")
    found = []
    for machine, environment in (("ascii", MACHINES["ascii"]), (name, MACHINES[name] | more)):
        out = tmp_path / machine
        done = command("scan", model_folder, "--corpus", corpus, "--out", out, **environment)
        assert done.returncode == 0, done.stderr
        found.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert len(found[0]) == 3
    assert found[0] == found[1]


@pytest.mark.parametrize("arguments", [["corpora"], ["corpora", "--json"], ["--help"], ["scan", "--help"]])
def test_what_is_printed_fits_an_ascii_terminal(arguments: list[str]) -> None:
    done = command(*arguments, **ASCII)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout
