"""Any options together: an exit code that is documented, JSON or nothing on standard output, and never a traceback."""

import io
import json
import shutil
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Run = Callable[..., tuple[int, str, str]]
CODES = {0, 1, 2, 3, 4, 5}

MODELS = st.sampled_from(["tiny", "tiny/model.safetensors", "./nowhere", "", "v.txt", "good.txt", "tiny/config.json"])
CORPORA = st.sampled_from(["good.txt", "-", "empty.json", "a.jsonl", "tiny", "nowhere", "", "gsm8k", "good.parquet"])
REPORTS = st.sampled_from(["scan.json", "both.json", "empty.json", "nowhere.json", "tiny", "good.parquet"])
FORMATS = st.sampled_from(["json", "md", "html", "json,md", "json,json", "", ",", "docx", "JSON"])
OUTS = st.sampled_from(["out", "out/deep", "good.txt", "tiny", "."])


def option(name: str, values: st.SearchStrategy[object]) -> st.SearchStrategy[list[str]]:
    return values.map(lambda value: [name, str(value)])


def flag(name: str) -> st.SearchStrategy[list[str]]:
    return st.just([name])


COMMON = [option("--format", FORMATS), flag("--quiet"), flag("--json")]
SCAN = [
    *COMMON,
    option("--corpus", CORPORA),
    option("--counts", st.sampled_from(["good.parquet", "good.txt", "nowhere.parquet"])),
    option("--field", st.sampled_from(["text", "nope", ""])),
    option("--seed", st.integers(-1, 2**70)),
    # one that answers at once on so little text; the names of the others are tried where they are not run
    option("--analyzer", st.sampled_from(["frequency", "charm", ""])),
    option("--tensor", st.sampled_from(["model.embed_tokens.weight", "nope"])),
    option("--tokenizer", st.sampled_from(["tiny", "good.txt", "nowhere"])),
    option("--engine", st.sampled_from(["local", "spark"])),
    option("--layer", st.sampled_from(["x", "1.5"])),
    option("--data", st.sampled_from(["tiny", "nowhere"])),
    option("--revision", st.sampled_from(["main", ""])),
    flag("--quick"),
    flag("--offline"),
]
COUNT = [
    option("--corpus", CORPORA),
    option("--engine", st.sampled_from(["local", "spark"])),
    flag("--merge"),
    flag("--offline"),
    flag("-q"),
]
REPORT = [option("--format", FORMATS), flag("--quiet")]


def some(options: list[st.SearchStrategy[list[str]]]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.one_of(options), max_size=5).map(lambda parts: [word for part in parts for word in part])


def lines(
    name: str, arguments: st.SearchStrategy[list[str]], options: list[st.SearchStrategy[list[str]]], out: str
) -> st.SearchStrategy[list[str]]:
    """Command lines with nothing that asks a network."""
    more = ["--analyzer", "frequency", "--offline"] if name == "scan" else ["--offline"] if name == "count" else []
    return st.tuples(arguments, some(options), OUTS).map(
        lambda parts: [name, *parts[0], *parts[1], *more, "--out", out.format(parts[2])]
    )


LINES = st.one_of(
    lines("scan", st.tuples(MODELS).map(list), SCAN, "{}"),
    lines("count", st.lists(st.one_of(MODELS, st.just("good.parquet")), min_size=1, max_size=3), COUNT, "{}/c.parquet"),
    lines("report", st.tuples(REPORTS).map(list), REPORT, "{}"),
    lines("compare", st.lists(REPORTS, min_size=1, max_size=3), COMMON, "{}"),
)


@settings(
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(words=LINES)
@pytest.mark.usefixtures("unchecked")
def test_any_options_together_end_with_a_documented_code(
    workplace: Path,
    tmp_path_factory: pytest.TempPathFactory,
    run_cli: Run,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    folder = tmp_path_factory.mktemp("options") / "here"
    shutil.copytree(workplace, folder)
    (folder / "empty.json").write_text("[]")
    (folder / "a.jsonl").write_text('{"text": "the of"}\n{"body": "x"}\n')
    (folder / "v.txt").write_text("the 1 2\nof 3 4\n")
    (folder / "both.json").write_text('{"kind": "comparison", "schema_version": 1}')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"the of and")))
    with chdir(folder):  # left before it is removed: between examples hypothesis looks at paths
        code, stdout, stderr = run_cli(*words)
    assert code in CODES
    assert "Traceback" not in stderr
    assert "a fault of its own" not in stderr, (words, stderr)
    if stdout:
        assert code == 0
        json.loads(stdout)
    if code == 0 and ("--quiet" in words or "-q" in words):
        assert stderr == ""
    assert not [path for path in folder.rglob(".*") if path.is_file()]  # no temporary file
    shutil.rmtree(folder)
