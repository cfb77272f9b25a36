"""Every entry, given what it cannot use: an exit code, a message that says why, and nothing else."""

import io
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from bad_inputs.case import Case
from bad_inputs.corpora import CORPORA
from bad_inputs.counts import COUNTS
from bad_inputs.experiments import EXPERIMENTS
from bad_inputs.models import MODELS
from bad_inputs.options import OPTIONS
from bad_inputs.reports import REPORTS
from bad_inputs.taxonomies import TAXONOMIES
from bad_inputs.tokenizers import TOKENIZERS
from builders import missing

Run = Callable[..., tuple[int, str, str]]
GROUPS = {
    "model": MODELS,
    "tokenizer": TOKENIZERS,
    "corpus": CORPORA,
    "counts": COUNTS,
    "report": REPORTS,
    "option": OPTIONS,
    "experiment": EXPERIMENTS,
    "taxonomy": TAXONOMIES,
}
CASES = {f"{group}: {name}": case for group, cases in GROUPS.items() for name, case in cases.items()}
SECONDS = 20
#: Address space that a case may take beyond what is there before it: twenty times what any of them needs.
BYTES = 2_000_000_000


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Fail what hangs, and not wait for it."""

    def late(*_: object) -> None:
        raise AssertionError(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def memory_limit(extra: int) -> Iterator[None]:
    """Refuse allocations that only a header asks for; where the system says how much there is."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(statm.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def listing(folder: Path) -> dict[Path, bytes | None]:
    """Every path below a folder, files with their content."""
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def test_there_are_cases_of_every_entry() -> None:
    assert len(CASES) == sum(map(len, GROUPS.values())) >= 200
    assert {case.code for case in CASES.values()} == {1, 2, 3, 5}  # 4 needs a gated hub: tests/test_cli.py


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", CASES)
def test_a_bad_input_has_its_exit_code_and_message_and_leaves_nothing(
    run_cli: Run, workplace: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case: Case = CASES[name]
    if (case.words[0] == "finetune" or name == "model: a pickle that is none") and find_spec("torch") is None:
        missing("finetune", "PyTorch is not installed, which is what is said first: pip install '.[finetune]'")
    folder = tmp_path / "here"
    shutil.copytree(workplace, folder)
    case.prepare(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    before = listing(tmp_path)
    with time_limit(SECONDS), memory_limit(BYTES):
        code, stdout, stderr = run_cli(*case.words)
    said = stderr.replace("\n", " ")
    assert case.says in said
    assert code == case.code, said
    assert stdout == ""
    assert "Traceback" not in said
    assert "a fault of its own" not in said
    assert listing(tmp_path) == before  # nothing left behind, nothing touched
