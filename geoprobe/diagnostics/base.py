"""What a diagnostic is, and how one is found: built in, or in an installed package's entry point.

A new diagnostic is a frozen dataclass of options that has `run`, and one line in `BUILTIN`.
Another package adds its own, with no change here, by an entry point::

    [project.entry-points."geoprobe.analyzers"]
    isotropy = "my_package.isotropy:IsotropyAnalyzer"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from importlib.metadata import entry_points
from typing import Annotated, Any, ClassVar, Literal, Protocol, get_args, runtime_checkable

import msgspec
import numpy as np

from geoprobe.data import ScanInputs
from geoprobe.errors import NotFoundError, UsageError, meant
from geoprobe.results import Result

ENTRY_POINT_GROUP = "geoprobe.analyzers"

#: In the order of a report's sections.
BUILTIN: dict[str, str] = {
    "frequency": "geoprobe.diagnostics.frequency.analyzer:FrequencyAnalyzer",
    "norms": "geoprobe.diagnostics.norms.analyzer:NormsAnalyzer",
    "hyperbolicity": "geoprobe.diagnostics.hyperbolicity.analyzer:HyperbolicityAnalyzer",
}
#: Those that run only when asked for.
ON_REQUEST: dict[str, str] = {
    "states": "geoprobe.diagnostics.states.analyzer:StatesAnalyzer",
    "curvature": "geoprobe.diagnostics.curvature.analyzer:CurvatureAnalyzer",
    "hierarchy": "geoprobe.diagnostics.hierarchy.analyzer:HierarchyAnalyzer",
}

#: What a diagnostic may ask for beside the embedding; a scan makes what any of its diagnostics needs.
Need = Literal["counts", "prompts", "states"]
#: Options that say how many: of draws, which have a spread, and of anything else.
Draws = Annotated[int, msgspec.Meta(ge=2)]
Size = Annotated[int, msgspec.Meta(ge=1)]


@runtime_checkable
class Analyzer(Protocol):
    """A diagnostic: a frozen dataclass whose fields are its options.

    An option named ``layers`` of one that needs ``states`` is set by a scan's ``layers``. One that has a method
    ``check`` is asked by it whether its options can be met, before anything large is read; one that reads files of its
    own has ``still_holds``, which says whether a saved result of the same options is of those files as they are now.

    Attributes
    ----------
    name : str
        What it is called in a report and on the command line.
    result : type of Result
        What `run` returns.
    needs : frozenset of {"counts", "prompts", "states"}
        What `run` looks at beside the embedding; one that does not say gets counts and prompts.
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
    """The class of a diagnostic."""
    known = available()
    if name not in known:
        raise NotFoundError(
            f"There is no diagnostic {name!r}.",
            f"{meant(name, known)}There are: {', '.join(known)}. "
            f"Others come with packages that declare {ENTRY_POINT_GROUP}.",
        )
    module, _, attribute = known[name].partition(":")
    kind: type[Any] = getattr(import_module(module), attribute)
    return kind


def make_analyzer(spec: str) -> Analyzer:
    """A diagnostic by name, with options of its own behind a colon: ``hyperbolicity:shown=off,draws=99``."""
    name, _, options = spec.partition(":")
    kind = analyzer_type(name)
    known = [option.name for option in fields(kind)] if is_dataclass(kind) else []
    given: dict[str, str] = {}
    for part in filter(None, options.split(",")):
        option, stated, value = part.partition("=")
        if given and not stated and option not in known:  # the value before holds a comma, as paths may
            last = next(reversed(given))
            given[last] += f",{part}"
            continue
        if option not in known:
            raise UsageError(
                f"The diagnostic {name!r} has no option {option!r}.",
                f"{meant(option, known)}It has: {', '.join(known) or 'none'}.",
            )
        given[option] = value
    try:
        made: Analyzer = msgspec.convert(given, type=kind, strict=False) if given else kind()
    except msgspec.ValidationError as error:
        raise UsageError(f"{spec!r} gives an option a value that it cannot have.", f"{error}.") from error
    return made


def result_type(name: str) -> type[Result]:
    """The result class of a diagnostic, to read it back from JSON."""
    kind: type[Result] = analyzer_type(name).result
    return kind


def check(analyzers: Iterable[Analyzer]) -> None:
    """Let each diagnostic that has a ``check`` refuse its options, by the error that it raises."""
    for analyzer in analyzers:
        own = getattr(analyzer, "check", None)
        if own is not None:
            own()


def still_holds(analyzers: Iterable[Analyzer], results: Mapping[str, Result]) -> bool:
    """Whether saved results are of the files that these diagnostics read themselves, as they are now."""
    own = ((getattr(analyzer, "still_holds", None), analyzer.name) for analyzer in analyzers)
    return all(ask is None or (name in results and ask(results[name])) for ask, name in own)


def needs_of(analyzers: Iterable[Analyzer]) -> frozenset[str]:
    """What these diagnostics need, together."""
    known, needs = frozenset(get_args(Need)), frozenset[str]()
    for analyzer in analyzers:
        own = _needs(analyzer)
        unknown = sorted(own - known)
        if unknown:
            raise UsageError(
                f"The diagnostic {analyzer.name!r} needs {', '.join(unknown)}, which a scan does not make.",
                f"A scan makes {', '.join(get_args(Need))}. Is the diagnostic for a newer geoprobe?",
            )
        needs |= own
    return needs


def with_layers(analyzers: Sequence[Analyzer], layers: tuple[int, ...]) -> list[Analyzer]:
    """These diagnostics, those that look at layers of hidden states with these layers.

    Where layers are given and none of them looks at any, the built-in ones that run on request and do are added.
    """
    chosen = list(analyzers)
    if layers and not any(map(_takes_layers, chosen)):
        chosen += filter(_takes_layers, (analyzer_type(name)() for name in ON_REQUEST))
    return [_replaced(analyzer, layers) if layers and _takes_layers(analyzer) else analyzer for analyzer in chosen]


def with_option(specs: Sequence[str] | None, option: str, value: str) -> list[str]:
    """These diagnostics as `make_analyzer` takes them, those that have this option with this value.

    Where none of them has it, the built-in ones that run on request and have it are added; None are those that run
    anyway.
    """
    chosen = [*(BUILTIN if specs is None else specs)]
    given = f"{option}={value}"
    takes = [_has_option(analyzer_type(spec.partition(":")[0]), option) for spec in chosen]
    if not any(takes):
        return [*chosen, *(f"{name}:{given}" for name in ON_REQUEST if _has_option(analyzer_type(name), option))]
    return [
        f"{spec}{',' if ':' in spec else ':'}{given}" if mine else spec
        for spec, mine in zip(chosen, takes, strict=True)
    ]


def _has_option(kind: Any, option: str) -> bool:
    return is_dataclass(kind) and any(field.name == option for field in fields(kind))


def _needs(analyzer: Analyzer) -> frozenset[str]:
    needs: frozenset[str] = getattr(analyzer, "needs", frozenset({"counts", "prompts"}))
    return needs


def _takes_layers(analyzer: Analyzer) -> bool:
    return "states" in _needs(analyzer) and _has_option(analyzer, "layers")


def _replaced(analyzer: Any, layers: tuple[int, ...]) -> Analyzer:
    changed: Analyzer = replace(analyzer, layers=layers)
    return changed
