"""Geometric diagnostics for language models.

``scan`` reads a model's token embeddings and answers, each with an interval, a null and a plain verdict: is
token frequency a power law, do frequent tokens sit near the origin, is the space hyperbolic?
``compare`` puts several models side by side. ``finetune`` finds out by experiment whether hyperbolic adaptation helps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geoprobe import peft_method
from geoprobe.versions import __version__, install_command

if TYPE_CHECKING:
    from geoprobe.comparing import compare
    from geoprobe.report.scan import Report
    from geoprobe.scanning import scan
    from geoprobe.training.finetuning import finetune

__all__ = ["Report", "__version__", "compare", "finetune", "scan"]

# imported when first used: `import geoprobe` stays below a tenth of a second
_LAZY = {
    "Report": "geoprobe.report.scan",
    "compare": "geoprobe.comparing",
    "finetune": "geoprobe.training.finetuning",
    "scan": "geoprobe.scanning",
}
#: Packages that are reached from here, and imported then.
_PACKAGES = ("hyplora", "stats")


def __getattr__(name: str) -> Any:
    if name not in _LAZY and name not in _PACKAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        value = import_module(f"{__name__}.{name}") if name in _PACKAGES else getattr(import_module(_LAZY[name]), name)
    except ModuleNotFoundError as error:
        if name not in ("finetune", "hyplora") or (error.name or "").startswith("geoprobe"):
            raise
        missing = (error.name or "").partition(".")[0]
        hint = f"geoprobe.{name} needs {missing}: {install_command('finetune')}."
        raise ModuleNotFoundError(hint, name=error.name) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES])


peft_method.register()
