"""Standard streams that are closed or full, and a working folder that is gone: an exit code, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bad_inputs.case import make_workplace
from builders import PATHS

REPORT = "report scan.json --format md --out out"
COUNT = "count tiny --corpus good.txt --out out/c.parquet"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    make_workplace(folder)
    return folder


def run(folder: Path, command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", command.replace("geoprobe ", f"'{sys.executable}' -W ignore -m geoprobe ")],
        cwd=folder,
        env=os.environ | PATHS,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


FULL, CLOSED = "what is to be printed cannot be written", "Standard output is closed"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("geoprobe corpora --json > /dev/full", 1, FULL),
        ("geoprobe corpora > /dev/full", 1, FULL),
        ("geoprobe --help > /dev/full", 1, ""),
        ("geoprobe --version > /dev/full", 1, ""),
        (f"geoprobe {REPORT} 2> /dev/full", 1, ""),
        ("geoprobe scan ./nowhere 2> /dev/full", 3, ""),
        ("geoprobe scan ./nowhere > /dev/full 2>&1", 3, ""),
        ("geoprobe corpora --json >&-", 1, CLOSED),
        ("geoprobe corpora >&-", 1, CLOSED),
        ("geoprobe scan tiny --corpus good.txt --json >&-", 1, CLOSED),
        ("geoprobe compare scan.json scan.json --json >&-", 1, CLOSED),
        ("geoprobe scan ./nowhere 2>&-", 3, ""),
        (f"geoprobe {REPORT} >&- 2>&- <&-", 0, ""),
        (f"geoprobe {COUNT} >&- <&-", 0, "out/c.parquet: "),
        ("geoprobe count tiny --corpus - --out out/c.parquet <&-", 1, "Standard input is closed"),
        (
            "mkdir gone && cd gone && rmdir ../gone && geoprobe scan demo",
            3,
            "the folder that it was started in is gone",
        ),
        ("mkdir gone && cd gone && rmdir ../gone && geoprobe corpora > /dev/null", 0, ""),
    ],
)
def test_streams_that_cannot_be_used(workplace: Path, command: str, code: int, says: str) -> None:
    done = run(workplace, command)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "a fault of its own" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_streams_number_goes_to_no_file(workplace: Path) -> None:
    """A file that is opened under number 1 would get what a library prints."""
    (workplace / "open.py").write_text(
        "import os\nfrom geoprobe.cli.streams import sound_streams\nwith sound_streams():\n    print(os.open('a', 65))"
    )
    assert int(run(workplace, f"'{sys.executable}' open.py <&- 2>&-").stdout) > 2
