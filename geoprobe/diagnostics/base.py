"""What a diagnostic is, and how one is found: built in, or in an installed package's entry point.

A new diagnostic is one file with a frozen dataclass of options that has `run`, and one line in `BUILTIN`.
Another package adds its own, with no change here, by an entry point::

    [project.entry-points."geoprobe.analyzers"]
    isotropy = "my_package.isotropy:IsotropyAnalyzer"
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from geoprobe.data import ScanInputs
from geoprobe.errors import NotFoundError
from geoprobe.results import Result

__all__ = ["BUILTIN", "ENTRY_POINT_GROUP", "ON_REQUEST", "Analyzer", "analyzer_type", "available", "result_type"]

ENTRY_POINT_GROUP = "geoprobe.analyzers"

#: In the order of a report's sections.
BUILTIN: dict[str, str] = {
    "frequency": "geoprobe.diagnostics.frequency.analyzer:FrequencyAnalyzer",
    "norms": "geoprobe.diagnostics.norms.analyzer:NormsAnalyzer",
    "hyperbolicity": "geoprobe.diagnostics.hyperbolicity.analyzer:HyperbolicityAnalyzer",
}
#: Those that run only when asked for.
ON_REQUEST: dict[str, str] = {"states": "geoprobe.diagnostics.states.analyzer:StatesAnalyzer"}


@runtime_checkable
class Analyzer(Protocol):
    """A diagnostic: a frozen dataclass whose fields are its options.

    Attributes
    ----------
    name : str
        What it is called in a report and on the command line.
    result : type of Result
        What `run` returns.
    """

    name: ClassVar[str]
    result: ClassVar[type[Result]]

    def run(self, inputs: ScanInputs, rng: np.random.Generator) -> Result:
        """Diagnose; all randomness comes from `rng`."""


def available() -> Mapping[str, str]:
    """Name to ``module:class`` of every diagnostic, the built-in ones first."""
    installed = {point.name: point.value for point in sorted(entry_points(group=ENTRY_POINT_GROUP))}
    own = BUILTIN | ON_REQUEST
    return own | {name: value for name, value in installed.items() if name not in own}


def analyzer_type(name: str) -> type[Any]:
    """The class of a diagnostic.

    Raises
    ------
    NotFoundError
        When no diagnostic has this name.
    """
    known = available()
    if name not in known:
        raise NotFoundError(
            f"There is no diagnostic {name!r}.",
            f"There are: {', '.join(known)}. Others come with packages that declare {ENTRY_POINT_GROUP}.",
        )
    module, _, attribute = known[name].partition(":")
    found: type[Any] = getattr(import_module(module), attribute)
    return found


def result_type(name: str) -> type[Result]:
    """The result class of a diagnostic, to read it back from JSON."""
    kind: type[Result] = analyzer_type(name).result
    return kind
