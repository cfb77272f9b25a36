"""Test-wide set-up: shapes in annotations are checked, and what a machine lacks is skipped with its reason.

``GEOPROBE_REQUIRE`` lists what a machine is known to have (``demo shared chromium poppler peers axe ray finetune
models bitsandbytes``): there, a skip is a failure.
"""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

import geoprobe

CHECKED = (
    "geoprobe.data",
    "geoprobe.stats.",
    "geoprobe.sources.",
    "geoprobe.diagnostics.",
)


def _annotated_modules() -> list[str]:
    """Modules that work on arrays, less packages and numba kernels (a kernel cannot be wrapped)."""
    root = Path(geoprobe.__file__).parent
    # by their files: walking packages would import them, and torch with one
    files = [path for path in root.rglob("*.py") if path.stem != "__init__" and not path.stem.endswith("_kernels")]
    names = [".".join(path.relative_to(root.parent).with_suffix("").parts) for path in files]
    return sorted(name for name in names if name.startswith(CHECKED))


# training sets it, too late where another test has multiplied by MKL before: then Ray's workers alone have it
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

# how long an example takes says how busy the machine is
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# before anything else of geoprobe is imported
install_import_hook(_annotated_modules(), "annotations_checked.checked")

from builders import SOME, WORDS, make_corpus, make_model, make_report, missing, scan_inputs  # noqa: E402


@pytest.fixture
def unchecked() -> Iterator[None]:
    """As a user runs it: wrong types and shapes reach the code's own checks, and not the annotations'."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def demo() -> Path:
    """The real demo model."""
    from geoprobe.errors import NotFoundError
    from geoprobe.sources.models.demo import demo_model

    try:
        return demo_model()
    except NotFoundError as error:
        missing("demo", str(error))
        raise


@pytest.fixture(scope="session")
def shared_datasets() -> Path:
    """Real instruction data, beside the checkout or where GEOPROBE_SHARED says."""
    root = Path(__file__).parent.parent
    shared = Path(os.environ.get("GEOPROBE_SHARED", root.parent / "shared")) / "datasets"
    if not shared.is_dir():
        missing("shared", f"no data sets at {shared}; set GEOPROBE_SHARED to the folder that holds datasets/")
    return shared


@pytest.fixture(scope="module")
def two_workers() -> Iterator[None]:
    """A Ray of this machine's own."""
    try:
        import ray
    except ImportError:
        missing("ray", "ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Ray's own making, at start
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
        try:
            yield
        finally:
            ray.shutdown()


@pytest.fixture(scope="session")
def chromium() -> str:
    """A headless browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        missing("chromium", "no chromium on PATH")
    assert found is not None
    return found


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A small model in the form of a hub checkpoint: config, tokenizer, weights."""
    return make_model(tmp_path / "tiny-llama")


@pytest.fixture
def corpus_file(tmp_path: Path) -> Path:
    """Sixty short documents whose word frequencies fall as 1/rank."""
    return make_corpus(tmp_path / "corpus.jsonl")


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: exit code, standard output, standard error."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        from geoprobe.cli import main

        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture(scope="session")
def report() -> "geoprobe.Report":
    """A report of made-up data with every built-in diagnostic."""
    return make_report(options=SOME)


@pytest.fixture(scope="session")
def hostile_report() -> "geoprobe.Report":
    """A report whose model, corpora and tokens are all hostile text."""
    return make_report(hostile=True, options=SOME)


@pytest.fixture
def zipf_texts() -> list[str]:
    """Sixty documents over 400 words whose frequencies fall as 1/rank."""
    rng = np.random.default_rng(1)
    words = np.array(WORDS + [f"word{number}" for number in range(370)])
    weights = 1 / np.arange(1, len(words) + 1)
    return [" ".join(rng.choice(words, size=60, p=weights / weights.sum())) for _ in range(60)]


@pytest.fixture
def hyperbolicity_result(zipf_texts: list[str]) -> "geoprobe.results.Result":
    from geoprobe.diagnostics.hyperbolicity.analyzer import HyperbolicityAnalyzer

    return HyperbolicityAnalyzer(**SOME["hyperbolicity"]).run(scan_inputs(zipf_texts), np.random.default_rng(0))
