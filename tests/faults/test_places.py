"""Places that cannot be written or read: full, read-only, forbidden, or wanted by two at once."""

import ctypes
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from builders import FEW, PATHS, make_model, make_report, missing

NOBODY_MAY = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: what lets root pass over permissions
DROP_BOUND = 24  # PR_CAPBSET_DROP


def command(
    *arguments: str | Path, before: Callable[[], object] | None = None, **options: object
) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "geoprobe", *map(str, arguments)],
        env=os.environ | PATHS,
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def as_anybody() -> None:
    """Root, too, is held by permissions from here on."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for each in NOBODY_MAY:
            libc.prctl(DROP_BOUND, each, 0, 0, 0)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_report(options=FEW).save(tmp_path_factory.mktemp("saved") / "scan.json")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 kB, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    with mounted(place, "size=60k"):
        yield place


class mounted:
    """A file system in memory, for the time of the block; skipped where this user may not mount."""

    def __init__(self, place: Path, options: str) -> None:
        self.place, self.options = place, options

    def __enter__(self) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", self.options, "tmpfs", self.place], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip(f"no file system may be mounted here: {done.stderr.decode().strip()}")

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", self.place], check=True)


def test_a_full_disk_is_said_and_the_old_report_stays(saved: Path, small_disk: Path) -> None:
    out = small_disk / "out"
    out.mkdir()
    (out / "scan.json").write_text("old")
    (out / "report.html").write_text("old")
    assert saved.stat().st_size > 40_000
    code, stdout, stderr = command("report", saved, "--format", "json,md,html", "--out", out)
    assert (code, stdout) == (1, "")
    assert "No space left on device" in stderr
    assert content(small_disk) == {"out/scan.json": b"old", "out/report.html": b"old"}
    code, _, _ = command("report", saved, "--format", "json,html", "--out", small_disk / "new")
    assert code == 1
    assert not (small_disk / "new").exists()


def test_a_file_beyond_its_limit_is_said_and_leaves_nothing(saved: Path, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    code, stdout, stderr = command("report", saved, "--format", "json", "--out", tmp_path / "out", before=limit)
    assert (code, stdout) == (1, "")
    assert "File too large" in stderr
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_only_read_is_refused_before_the_work(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    with mounted(place, "ro"):
        for arguments in (["scan", "./nowhere"], ["compare", "a.json", "b.json"], ["count", "./nowhere"]):
            out = place / "c.parquet" if arguments[0] == "count" else place / "out"
            code, stdout, stderr = command(*arguments, "--out", out)
            assert (code, stdout) == (4, "")  # and not 3, for what is not there either
            assert "may not be written" in stderr


def test_a_folder_that_may_not_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    place.mkdir(mode=0o555)
    code, _, stderr = command("scan", "./nowhere", "--out", place / "out", before=as_anybody)
    assert code == 4
    assert "may not be written" in stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "scan tiny",
        "scan tiny/model.safetensors",
        "scan m.gguf",
        "scan good --corpus a.txt",
        "scan good --corpus folder",
        "scan good --counts a.parquet",
        "scan good --tokenizer t.json",
        "scan closed/model",
        "scan good --corpus closed/a.txt",
        "report scan.json",
        "report closed/scan.json",
        "compare scan.json scan.json",
        "finetune --from-scan scan.json --dry-run",
        "corpora --data closed",
        "scan good --corpus gsm8k --data closed",
        "finetune good --train a.txt --data closed --dry-run",
    ],
)
def test_what_may_not_be_read_is_said(tmp_path: Path, arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if arguments.startswith("finetune") and find_spec("peft") is None:
        missing("finetune", "the extra finetune is not installed: pip install '.[finetune]'")
    for name in ("tiny", "good"):
        make_model(tmp_path / name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "closed").mkdir()
    for name in ("m.gguf", "a.txt", "folder/b.txt", "a.parquet", "t.json", "scan.json", "closed/scan.json"):
        (tmp_path / name).write_bytes(b"GGUF")
        (tmp_path / name).chmod(0)
    (tmp_path / "tiny" / "model.safetensors").chmod(0)
    (tmp_path / "closed").chmod(0)
    monkeypatch.chdir(tmp_path)
    code, stdout, stderr = command(*arguments.split(), before=as_anybody)
    assert (code, stdout) == (4, ""), stderr
    assert "may not be read" in stderr


@pytest.mark.parametrize("arguments", ["report scan.json", "compare scan.json scan.json", "scan x"])
def test_a_closed_folder_for_the_report_is_said(saved: Path, tmp_path: Path, arguments: str) -> None:
    out = tmp_path / "closed"
    out.mkdir(mode=0)
    words = [saved if word == "scan.json" else word for word in arguments.split()]
    code, stdout, stderr = command(*words, "--out", out, before=as_anybody)
    assert (code, stdout) == (4, ""), stderr
    assert "may not be " in stderr


def test_a_folder_that_may_be_written_and_not_listed_takes_the_report(saved: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o333)
    code, _, stderr = command("report", saved, "--format", "md", "--out", out, before=as_anybody)
    out.chmod(0o755)
    assert code == 0, stderr
    assert [path.name for path in out.iterdir()] == ["report.md"]


def test_two_scans_into_one_folder_leave_the_report_of_one(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the of and to the of")
    arguments = ["--corpus", tmp_path / "a.txt", "--analyzer", "frequency", "--format", "json,md", "-q"]
    arguments += ["--out", tmp_path / "out"]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "geoprobe", "scan", model_folder, *arguments, "--seed", seed],
            env=os.environ | PATHS,
        )
        for seed in ("11", "22")
    ]
    assert [each.wait(300) for each in running] == [0, 0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.md", "scan.json"]
    seed = json.loads((tmp_path / "out" / "scan.json").read_text())["seed"]
    assert f"Seed: {seed}" in (tmp_path / "out" / "report.md").read_text().replace("\\", "")


#: Put files in place again and again, all of them of one number.
WRITER = """
import sys
from pathlib import Path
from geoprobe.files import write_whole
folder, number = Path(sys.argv[1]), sys.argv[2]
for time in range(40):
    write_whole({folder / f"{name}.txt": f"{number} {time}".encode() * 1000 for name in range(6)})
"""


def test_files_that_several_write_at_once_are_all_of_one(tmp_path: Path) -> None:
    environment = os.environ | PATHS
    running = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, str(number)], env=environment) for number in range(4)
    ]
    assert [each.wait(300) for each in running] == [0] * 4
    assert len(list(tmp_path.iterdir())) == 6
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
