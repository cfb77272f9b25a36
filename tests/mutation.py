"""Change the statistics in one place at a time, and count how many such mutants a test notices.

Mutants are cosmic-ray's: another operator, another comparison, a number off by one, a condition negated, a loop left
out. A seeded sample of them is tested, each in a copy of the checkout: by the tests of its own module first, and, if it
survives these, by all of its package's. A mutant whose tests take three times as long as without it counts as noticed.
Prints what survived, and exits 1 where fewer than 85% were noticed.

    python tests/mutation.py --python .venv/bin/python --sample 300
"""

import argparse
import math
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cosmic_ray.commands.init import _all_work_items as work_items
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_item import MutationSpec, TestOutcome

ROOT = Path(__file__).parent.parent
MUTATED = ("geoprobe/stats/**/*.py",)
LEAST = 0.85
TIMES = 3
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
    paths = [path.relative_to(ROOT) for each in MUTATED for path in sorted(ROOT.glob(each)) if path.stem != "__init__"]
    chosen = [path for path in paths if re.search(pattern, path.as_posix())]
    every = [item.mutations[0] for item in work_items(chosen, {})]
    lines = {path: path.read_text("utf-8").splitlines() for path in chosen}
    return [
        each
        for each in every
        if (KEPT.search(each.operator_name) or not USELESS.search(each.operator_name))
        and not lines[each.module_path][each.start_pos[0] - 1].startswith("@")
    ]


def tests_of(module: Path) -> list[str]:
    """What tests a module: its own file if there is one, then its package's."""
    folder = ROOT / "tests" / module.parent.relative_to("geoprobe")
    names = {module.stem, module.stem.removesuffix("_kernels")}
    if not folder.is_dir():  # the nulls' tests stand beside the others
        names.add(folder.name)
        folder = folder.parent
    own = [str(path.relative_to(ROOT)) for name in sorted(names) if (path := folder / f"test_{name}.py").exists()]
    wide = str(folder.relative_to(ROOT))
    if folder.name == "stats":  # without the packages below it, which have modules of their own
        wide += " --ignore tests/stats/powerlaw --ignore tests/stats/hyperbolicity"
    return [" ".join(own), wide] if own else [wide]


class Worker:
    """A copy of the checkout, one a process."""

    folder: Path
    python: str

    @classmethod
    def begin(cls, python: str, scratch: str) -> None:
        cls.folder = Path(tempfile.mkdtemp(dir=scratch))
        cls.python = python
        for name in ("geoprobe", "tests"):
            shutil.copytree(ROOT / name, cls.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", cls.folder)
        os.chdir(cls.folder)

    @classmethod
    def command(cls, tests: str) -> str:
        return f"{cls.python} -m pytest -x -q -p no:cacheprovider {tests}"


def seconds(tests: str) -> float:
    """What tests take with everything in place, and nothing compiled."""
    with tempfile.TemporaryDirectory(dir=Worker.folder) as cache:
        os.environ["NUMBA_CACHE_DIR"] = cache
        began = time.monotonic()
        outcome, output = run_tests(Worker.command(tests), 3600)
    if outcome is not TestOutcome.SURVIVED:
        raise RuntimeError(f"{tests} fails without any mutant:\n{output}")
    return time.monotonic() - began


def tried(mutant: MutationSpec, taken: Mapping[str, float]) -> Outcome:
    """Test one mutant."""
    late, diff = False, ""
    for tests in tests_of(mutant.module_path):
        # numba's cache of a function does not notice that another that it calls has changed
        fresh = mutant.module_path.stem.endswith("_kernels")
        cache = Path(tempfile.mkdtemp(dir=Worker.folder)) if fresh else Worker.folder / "cache"
        os.environ["NUMBA_CACHE_DIR"] = str(cache)
        result = mutate_and_test([mutant], Worker.command(tests), 30 + TIMES * taken[tests])
        if fresh:
            shutil.rmtree(cache)
        diff = "\n".join(line for line in (result.diff or "").splitlines() if re.match(r"[+-](?![+-])", line))
        if result.test_outcome is not TestOutcome.SURVIVED:
            late = result.output == "timeout"
            return Outcome(mutant, True, late, diff)
    return Outcome(mutant, False, late, diff)


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """An interval of 95% for a share."""
    share, widening = hits / of, z**2 / of
    middle = (share + widening / 2) / (1 + widening)
    half = z * math.sqrt(share * (1 - share) / of + widening / (4 * of)) / (1 + widening)
    return middle - half, middle + half


def outcomes(sample: Sequence[MutationSpec], python: str, workers: int) -> Iterator[Outcome]:
    """Outcomes, in the sample's order."""
    needed = sorted({tests for mutant in sample for tests in tests_of(mutant.module_path)})
    with (
        tempfile.TemporaryDirectory() as scratch,
        ProcessPoolExecutor(workers, initializer=Worker.begin, initargs=(python, scratch)) as pool,
    ):
        taken = dict(zip(needed, pool.map(seconds, needed), strict=True))
        yield from pool.map(partial(tried, taken=taken), sample)


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
        if len(found) % 10 == 0:
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
