"""Change the statistics in one place at a time, and count how many such mutants a test notices.

Mutants are cosmic-ray's: another operator, another comparison, a number off by one, a condition negated, a loop left
out. A seeded sample of them is tested, each in a copy of the checkout: by the tests of its own module first, and, if it
survives these, by all that import it by whatever way, the nearest first. A mutant whose tests take three times as long
as without it counts as noticed. Prints what survived, and exits 1 where fewer than 85% were noticed.

    python tests/mutation.py --python .venv/bin/python --sample 300
"""

import argparse
import ast
import difflib
import json
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cosmic_ray.commands.init import _all_work_items as work_items
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import MutationSpec

ROOT = Path(__file__).parent.parent
MUTATED = "geoprobe/stats"
TESTS = "tests/stats"
LEAST = 0.85
TIMES = 3
#: Exit codes of pytest: all passed, and none are there that are not slow.
UNNOTICED = (0, 5)
#: Bits of a float are an error of type that any test sees, and a compiled function with another decorator, or none, is
#: the same function; `|` stands in annotations, and `is` is as good as `==` where there is one None.
USELESS = re.compile(
    r"RemoveDecorator|Operator_BitOr_|_(RShift|LShift|BitOr|BitAnd|BitXor)$|_(Is|IsNot)$|_Is_Eq$|_IsNot_NotEq$"
)
KEPT = re.compile(r"_Is_IsNot$|_IsNot_Is$")


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant."""

    mutant: MutationSpec
    noticed: bool
    late: bool
    diff: str


def mutants(pattern: str) -> list[MutationSpec]:
    """Every useful mutant of the modules that the pattern finds."""
    paths = [path.relative_to(ROOT) for path in sorted((ROOT / MUTATED).rglob("*.py")) if path.stem != "__init__"]
    chosen = [path for path in paths if re.search(pattern, path.as_posix())]
    every = [item.mutations[0] for item in work_items(chosen, {})]
    lines = {path: path.read_text("utf-8").splitlines() for path in chosen}
    return [
        each
        for each in every
        if (KEPT.search(each.operator_name) or not USELESS.search(each.operator_name))
        and not lines[each.module_path][each.start_pos[0] - 1].startswith("@")
    ]


def module_of(name: str) -> Path | None:
    """The file of a module or package, if it is one of the statistics or a helper of their tests."""
    path = Path(*name.split("."))
    if not path.is_relative_to(MUTATED) and not path.is_relative_to(TESTS):
        return None
    return next((each for each in (path.with_suffix(".py"), path / "__init__.py") if (ROOT / each).exists()), None)


def names_in(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of everything that a file imports from somewhere."""
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            package = ".".join(path.parts[: -node.level]) if node.level else ""
            source = ".".join(part for part in (package, node.module) if part)
            yield from ((source, alias.name) for alias in node.names)


@cache
def imported(path: Path) -> frozenset[Path]:
    """Files that a file imports; of a package, where the name comes from, and not all that the package imports."""
    found: set[Path | None] = set()
    for source, name in names_in(path):
        whole, part = module_of(source), module_of(f"{source}.{name}")
        if part is None and whole is not None and whole.name == "__init__.py":
            part = next((module_of(origin) for origin, given in names_in(whole) if given == name), whole)
        found.add(part or whole)
    return frozenset(each for each in found if each is not None and each != path)


@cache
def steps_to(test: Path) -> dict[Path, int]:
    """How many imports away each module is from a file of tests."""
    steps, edge = {test: 0}, [test]
    while edge:
        following = {path for each in edge for path in imported(each)} - steps.keys()
        steps |= dict.fromkeys(following, steps[edge[0]] + 1)
        edge = sorted(following)
    return steps


@cache
def tests_of(module: Path) -> tuple[tuple[str, ...], ...]:
    """What tests a module: the files of its name, if there are any, then others that import it, the nearest first."""
    every = sorted(path.relative_to(ROOT) for path in (ROOT / TESTS).rglob("test_*.py"))
    reaching = sorted((path for path in every if module in steps_to(path)), key=lambda path: steps_to(path)[module])
    named = {f"test_{name}" for name in (module.stem, module.stem.removesuffix("_kernels"), module.parent.name)}
    own = [path for path in reaching if path.stem in named]
    return tuple(tuple(map(str, group)) for group in (own, [path for path in reaching if path not in own]) if group)


class Worker:
    """A copy of the checkout and a process that runs its tests, one a process."""

    folder: Path
    runs: "subprocess.Popen[str]"

    @classmethod
    def begin(cls, python: str, scratch: str) -> None:
        cls.folder = Path(tempfile.mkdtemp(dir=scratch))
        for name in ("geoprobe", "tests"):
            shutil.copytree(ROOT / name, cls.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", cls.folder)
        (cls.folder / "cache").mkdir()
        os.chdir(cls.folder)
        command = [python, "tests/mutation_runs.py"]
        called = os.environ | {"GEOPROBE_PREBUILT": "0"}  # any mutated kernel makes them all stale
        cls.runs = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=called)

    @classmethod
    def run(cls, tests: Sequence[str], limit: float, cache: str = "cache") -> dict[str, Any]:
        """Exit code (None: the limit was reached) and seconds of tests."""
        assert cls.runs.stdin is not None
        assert cls.runs.stdout is not None
        request = {"tests": tests, "cache": str(cls.folder / cache), "limit": limit}
        cls.runs.stdin.write(json.dumps(request) + "\n")
        cls.runs.stdin.flush()
        answer: dict[str, Any] = json.loads(cls.runs.stdout.readline())
        return answer

    @classmethod
    @cache
    def seconds(cls, test: str) -> float:
        """What a file of tests takes with everything in place; kernels are compiled the first time."""
        answer = cls.run([test], 3600)
        if answer["code"] not in UNNOTICED:
            raise RuntimeError(f"{test} fails without any mutant:\n{Path('output.txt').read_text()}")
        return float(answer["seconds"])


@cache
def compiled_anew(module: Path) -> frozenset[str]:
    """Names of modules whose compiled kernels hold the module's: numba's cache looks at each file by itself."""
    paths = [path.relative_to(ROOT) for path in (ROOT / MUTATED).rglob("*.py")]
    return frozenset(path.stem for path in paths if module in steps_to(path))


def cache_without(module: Path) -> str:
    """A cache of compiled kernels without those that hold the module's."""
    stale = compiled_anew(module)

    def ignored(_: str, names: list[str]) -> list[str]:
        return [name for name in names if name.split(".")[0] in stale and name.endswith((".nbi", ".nbc"))]

    shutil.rmtree("fresh", ignore_errors=True)
    shutil.copytree("cache", "fresh", copy_function=os.link, ignore=ignored)
    return "fresh"


def tried(mutant: MutationSpec) -> Outcome:
    """Test one mutant."""
    path = mutant.module_path
    operator = get_operator(mutant.operator_name)(**mutant.operator_args)
    stat = path.stat()
    code, diff = 0, ""
    for tests in tests_of(path):
        limit = 30 + TIMES * sum(map(Worker.seconds, tests))
        with use_mutation(path, operator, mutant.occurrence) as (before, after):
            code = Worker.run(tests, limit, cache_without(path) if path.stem.endswith("_kernels") else "cache")["code"]
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
        diff = "\n".join(line for line in lines if re.match(r"[+-](?![+-])", line))
        if code not in UNNOTICED:
            break
    return Outcome(mutant, code not in UNNOTICED, code is None, diff)


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """An interval of 95% for a share."""
    share, widening = hits / of, z**2 / of
    middle = (share + widening / 2) / (1 + widening)
    half = z * math.sqrt(share * (1 - share) / of + widening / (4 * of)) / (1 + widening)
    return middle - half, middle + half


def outcomes(sample: Sequence[MutationSpec], python: str, workers: int) -> Iterator[Outcome]:
    """Outcomes, in the sample's order."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        ProcessPoolExecutor(workers, initializer=Worker.begin, initargs=(python, scratch)) as pool,
    ):
        yield from pool.map(tried, sample)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="an interpreter with geoprobe's development packages")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="a regular expression that the modules' paths match")
    chosen = parser.parse_args()
    every = mutants(chosen.only)
    sample = random.Random(chosen.seed).sample(every, min(chosen.sample, len(every)))
    sys.stdout.write(f"{len(sample)} of {len(every):,} mutants\n")
    found = []
    for outcome in outcomes(sample, str(Path(chosen.python).absolute()), chosen.workers):
        found.append(outcome)
        if not outcome.noticed:
            line = outcome.mutant.start_pos[0]
            sys.stdout.write(f"{outcome.mutant.module_path}:{line} survived\n{outcome.diff}\n")
            sys.stdout.flush()
        if len(found) % 5 == 0:
            sys.stderr.write(f"{sum(each.noticed for each in found)} of {len(found)} noticed so far\n")
    noticed, late = sum(each.noticed for each in found), sum(each.late for each in found)
    low, high = wilson(noticed, len(found))
    share = noticed / len(found)
    sys.stdout.write(
        f"{noticed} of {len(found)} noticed, {late} by taking too long: {share:.1%} ({low:.1%} to {high:.1%})\n"
    )
    sys.exit(share < LEAST)


if __name__ == "__main__":
    main()
