"""Files that strangers made run nothing, write nothing elsewhere, steer no terminal, take no memory they claim."""

import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_inputs.case import EMBEDDING
from builders import PATHS, write_safetensors

from geoprobe.errors import BadDataError
from geoprobe.report.scan import Report

Run = Callable[..., tuple[int, str, str]]

#: One text with something for every reader of a report: terminal, browser, template, typesetter, Markdown, and eye.
PAYLOAD = (
    "\x1b]0;owned\x07\x1b[31m<script>document.title='owned'</script><img src=x onerror=alert(1)>{{7*7}}{%raw%}[/red]"
    '#import "/etc/passwd"; $x$ [x](javascript:alert(1)) \u202egnp'
)
INDEX = "tiny/model.safetensors.index.json"


def leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every string in parsed JSON; of a list's, the first few."""
    if isinstance(data, str):
        yield path
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from leaves(value, (*path, key))
    elif isinstance(data, list):
        for place, value in enumerate(data[:3]):
            yield from leaves(value, (*path, place))


def put(data: Any, path: tuple[str | int, ...], value: str) -> str:
    """Replace a string; what was there."""
    for key in path[:-1]:
        data = data[key]
    before, data[path[-1]] = data[path[-1]], value
    return str(before)


class Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


@pytest.fixture(scope="module")
def edited(workplace: Path) -> tuple[dict[str, Any], int]:
    """The good report with the payload in every string that may be any text, and in how many."""
    data = json.loads((workplace / "scan.json").read_text("utf-8"))
    changed = 0
    for path in list(leaves(data)):
        before = put(data, path, PAYLOAD)
        try:
            report = Report.from_dict(data)
            for result in report.results.values():
                scatter = result.scatter()
                if scatter is not None:
                    scatter.unpack()
            changed += 1
        except BadDataError:  # one of a few words, or packed
            put(data, path, before)
    return data, changed


def test_a_report_edited_to_attack_is_drawn_as_text(
    edited: tuple[dict[str, Any], int], run_cli: Run, tmp_path: Path
) -> None:
    data, changed = edited
    assert changed > 80
    (tmp_path / "scan.json").write_text(json.dumps(data))
    code, _, stderr = run_cli("report", tmp_path / "scan.json", "--format", "html,pdf,md")
    assert code == 0, stderr
    assert "\x1b" not in stderr
    assert "\u202e" not in stderr
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert page.tags.count("script") == 2  # the packed vocabulary, and what draws it
    assert not set(page.tags) & {"img", "iframe", "object", "embed", "link", "base", "form"}
    assert not [name for name in page.attributes if name.startswith("on")]
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text("utf-8")
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "7*7" in text or "7\\*7" in text  # shown, and not computed
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")


#: Run by a fresh interpreter: note what the interpreter says a scan does beyond computing.
WATCHED = """
import json, os, sys
folder, log, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
seen = []
WATCHED = "socket.connect socket.getaddrinfo subprocess.Popen os.system os.exec pickle.find_class".split()
def watch(event, args):
    if event in WATCHED:
        seen.append([event, repr(args)[:200]])
    elif event == "open" and isinstance(args[0], str) and isinstance(args[2], int):
        if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen.append(["written", args[0]])
    elif event in ("exec", "compile") and folder in repr(args[0]):
        seen.append([event, repr(args)[:200]])
sys.addaudithook(watch)
from geoprobe.cli import main
try:
    main(arguments)
finally:
    open(log, "w").write(json.dumps(seen))
"""


def test_a_scan_of_a_hostile_folder_runs_and_writes_nothing_of_it(workplace: Path, tmp_path: Path) -> None:
    folder, out, log = tmp_path / "model", tmp_path / "out", tmp_path / "log"
    shutil.copytree(workplace / "tiny", folder)
    config = json.loads((folder / "config.json").read_text())
    evil = "from pathlib import Path\nPath('owned').write_text('x')\n"
    for name in ("evil.py", "numpy.py", "geoprobe.py", "sitecustomize.py", "conftest.py", "setup.py"):
        (folder / name).write_text(evil)
    auto = dict.fromkeys(("AutoConfig", "AutoModel", "AutoTokenizer"), "evil.Evil")
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": auto, "_name_or_path": PAYLOAD}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": auto, "chat_template": "{{ ''.__class__ }}"}))
    (folder / "matplotlibrc").write_text("text.usetex: True\n")
    (folder / "corpus.txt").write_text("the of and")
    command = "scan . --corpus corpus.txt --analyzer frequency --format html,json"
    done = subprocess.run(
        [sys.executable, "-P", "-c", WATCHED, str(folder), str(log), *command.split(), "--out", str(out)],
        cwd=folder,
        env=os.environ | PATHS,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stderr
    assert not (folder / "owned").exists()
    seen = json.loads(log.read_text())
    caches = ("__pycache__", os.devnull, "/tmp/", "numba", "matplotlib")
    for event, what in seen:
        if event == "pickle.find_class":
            assert "numba" in what or "numpy" in what or "builtins" in what, what  # the kernels' own cache
        elif event == "written":
            assert what.startswith(str(out)) or any(cache in what for cache in caches), what
        elif "'lscpu', ['lscpu']" not in what:  # numpy 2.0 asks for the processor as it is imported
            pytest.fail(f"{event}: {what}")


def test_settings_of_drawing_in_the_folder_change_nothing(workplace: Path, tmp_path: Path) -> None:
    """A matplotlibrc beside a stranger's report could run TeX, or give other bytes."""
    found = set()
    for number, settings in enumerate(("", "text.usetex: True\naxes.facecolor: red\nxtick.direction: in\n")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "matplotlibrc").write_text(settings)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "geoprobe",
                "report",
                str(workplace / "scan.json"),
                "--format",
                "html",
                "--out",
                ".",
            ],
            cwd=folder,
            env=os.environ | PATHS,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.add((folder / "report.html").read_bytes())
    assert len(found) == 1


@pytest.mark.parametrize("layers", [False, True])
def test_code_beside_a_model_is_never_imported(
    workplace: Path, tmp_path: Path, run_cli: Run, layers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if layers:
        pytest.importorskip("torch")
    folder = tmp_path / "tiny"
    shutil.copytree(workplace / "tiny", folder)
    auto = {"AutoConfig": "evil.C", "AutoModel": "evil.C", "AutoTokenizer": ["evil.C", None]}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "C", "auto_map": auto}))
    (folder / "vocab.txt").write_text("the")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')")
    if not layers:
        (folder / "tokenizer.json").unlink()  # so that transformers is asked
    monkeypatch.chdir(tmp_path)
    more = ["--layer", "0"] if layers else []
    code, stdout, stderr = run_cli("scan", "tiny", "--corpus", workplace / "good.txt", *more)
    assert (code, stdout) == (5, ""), stderr
    assert "Traceback" not in stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]


@pytest.mark.parametrize(
    ("name", "content", "arguments"),
    [
        ("a.jsonl", json.dumps({PAYLOAD: "x"}).encode(), ["scan", "tiny", "--corpus", "a.jsonl"]),
        ("a.csv", f'"{PAYLOAD.replace(chr(34), "")}"\nx\n'.encode(), ["scan", "tiny", "--corpus", "a.csv"]),
        (INDEX, json.dumps({"weight_map": {"a": f"../{PAYLOAD}"}}).encode(), ["scan", "tiny"]),
        (
            "tiny/model.safetensors.index.json",
            json.dumps({"weight_map": {"a": "\x1b[31m\nb", "b": "model.safetensors"}}).encode(),
            ["scan", "tiny"],
        ),
        ("bad.json", json.dumps({"kind": PAYLOAD, "schema_version": 2}).encode(), ["report", "bad.json"]),
        ("bad.json", b'{"schema_version": 1, "versions": {"geoprobe": "\\u001b[31m"}}', ["report", "bad.json"]),
        ("d/gsm8k/\x1b[31m.json", b"[]", ["scan", "tiny", "--corpus", "gsm8k:dev", "--data", "d"]),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_no_name_steers_the_terminal(
    workplace: Path,
    tmp_path: Path,
    run_cli: Run,
    name: str,
    content: bytes,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "here"
    shutil.copytree(workplace, folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    monkeypatch.chdir(folder)
    code, stdout, stderr = run_cli(*arguments)
    assert code in (3, 5)
    assert stdout == ""
    assert re.search(r"\\(u\{1b\}|x1b)\[31m", stderr)  # written as an escape
    assert "\x1b" not in stderr
    # what is wrong, and what to do; further lines are set in, and look like neither
    assert len([line for line in stderr.splitlines() if not line.startswith("  ")]) <= 2


def test_tensor_names_steer_no_terminal(workplace: Path, tmp_path: Path, run_cli: Run) -> None:
    shutil.copytree(workplace / "tiny", tmp_path / "tiny")
    write_safetensors(tmp_path / "tiny" / "model.safetensors", {PAYLOAD: np.ones((3, 3), np.float32)})
    code, _, stderr = run_cli("scan", tmp_path / "tiny", "--corpus", workplace / "good.txt")
    assert code == 3
    assert "\\u{1b}[31m" in stderr
    assert "\x1b" not in stderr


def test_names_of_folders_steer_no_terminal(workplace: Path, tmp_path: Path, run_cli: Run) -> None:
    folder = tmp_path / "\x1b[31m\u202egnp"
    shutil.copytree(workplace, folder)
    for arguments in (
        ["report", folder / "scan.json", "--format", "md"],
        ["report", workplace / "scan.json", "--format", "md", "--out", folder],
        ["compare", folder / "scan.json", workplace / "scan.json", "--format", "json", "--out", folder / "c"],
        ["count", folder / "tiny", "--corpus", folder / "good.txt", "--out", folder / "c.parquet"],
        ["count", "--merge", folder / "good.parquet", folder / "good.parquet", "--out", folder / "c.parquet"],
        ["scan", folder / "tiny", "--corpus", folder / "good.txt", "--format", "md", "--out", folder / "o"],
    ):
        _, _, stderr = run_cli(*arguments)
        assert "\\u{1b}[31m\\u{202e}gnp" in stderr, arguments
        assert not {"\x1b", "\u202e"} & set(stderr), arguments


def test_markup_in_a_name_is_shown_by_the_progress_bar_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from geoprobe.report import terminal

    shown = io.StringIO()
    monkeypatch.setattr(terminal, "Console", lambda **_: Console(file=shown, force_terminal=True, width=200))
    with terminal.ScanProgress() as progress:
        progress.step("[/red] [link=http://x]y[/link]")
    assert "[/red] [link=http://x]y[/link]" in shown.getvalue()


@pytest.mark.parametrize("name", ["{elsewhere}/owned", "../owned", "x/../../owned"])
def test_a_comparison_edited_to_write_elsewhere_writes_nothing(
    workplace: Path, tmp_path: Path, run_cli: Run, name: str
) -> None:
    out, scan = tmp_path / "out", workplace / "scan.json"
    assert run_cli("compare", scan, scan, "--format", "json", "--out", out, "-q")[0] == 0
    data = json.loads((out / "comparison.json").read_text("utf-8"))
    data["questions"][0]["name"] = name.format(elsewhere=tmp_path)
    (out / "comparison.json").write_text(json.dumps(data))
    code, _, stderr = run_cli("report", out / "comparison.json", "--format", "pdf", "--out", tmp_path / "again")
    assert (code, "no name of a diagnostic" in stderr) == (5, True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_links_are_not_written_through(workplace: Path, tmp_path: Path, run_cli: Run) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.write_text("precious")
    for name in ("report.html", "report.md"):
        (out / name).symlink_to(elsewhere)
    assert run_cli("report", workplace / "scan.json", "--format", "html,md", "--out", out, "-q")[0] == 0
    assert elsewhere.read_text() == "precious"
    assert not (out / "report.html").is_symlink()


@pytest.mark.parametrize("name", ["../../x.safetensors", "..", "/etc/passwd", "a/b.safetensors", "\\\\host\\share"])
def test_a_shard_of_another_folder_is_not_opened(workplace: Path, tmp_path: Path, run_cli: Run, name: str) -> None:
    folder = tmp_path / "a" / "b" / "tiny"
    shutil.copytree(workplace / "tiny", folder)
    write_safetensors(tmp_path / "x.safetensors", {EMBEDDING: np.ones((127, 16), np.float32)})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {EMBEDDING: name}}))
    code, _, stderr = run_cli("scan", folder, "--corpus", workplace / "good.txt", "--out", tmp_path / "out")
    assert code == 5
    assert "which is not in its folder" in stderr
    assert not (tmp_path / "out").exists()


def test_word_vectors_that_unpack_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from geoprobe.sources.models import word_vectors

    monkeypatch.setattr(word_vectors, "_SMALL", 1 << 20)
    (tmp_path / "v.txt.gz").write_bytes(gzip.compress(b"a 1 1 1 1\n" * 500_000, mtime=0))
    with pytest.raises(BadDataError, match="unpacks to over 100 times its size"):
        word_vectors.read_word_vectors(tmp_path / "v.txt.gz")


def test_a_packed_vocabulary_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from builders import vocabulary_scatter

    from geoprobe import scatter

    monkeypatch.setattr(scatter, "_MOST_TEXT", 10_000)
    good = vocabulary_scatter(500)
    assert len(good.unpack().tokens) == 500
    bomb = scatter._deflate(json.dumps(["x" * 1000] * 500).encode())
    with pytest.raises(BadDataError, match="more than 10,000 bytes"):
        replace(good, tokens=bomb).unpack()


def test_a_vocabulary_of_one_word_a_million_times_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    from geoprobe.sources.models import vocabulary

    monkeypatch.setattr(vocabulary, "_MAX_BYTES", 1 << 20)
    parquet.write_table(pa.table({"word": ["x" * 1000] * 10_000}), tmp_path / "w.parquet")
    assert (tmp_path / "w.parquet").stat().st_size < 10_000
    with pytest.raises(BadDataError, match="bytes of them"):
        vocabulary.read_vocabulary(tmp_path / "w.parquet")
