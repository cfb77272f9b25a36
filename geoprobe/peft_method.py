"""HypLoRA is known to peft from ``import geoprobe`` on: as soon as peft is imported, or at once if it was before.

peft finds a method in a registry that it fills itself, and has no entry point for others. A start-up file of Python
(``.pth``) could fill it in every process of an environment, but a package that changes another by being installed is a
surprise, and what malware does. One import, of no more than this, is what a user can see.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def register() -> None:
    """Add HypLoRA to peft when peft is imported; where it never is, nothing is imported."""
    if "peft" in sys.modules:
        _add()
    elif not any(isinstance(finder, _WithPeft) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithPeft())


def _add() -> None:
    try:
        importlib.import_module("geoprobe.hyplora")
    except Exception as error:  # whoever imports peft may want nothing of HypLoRA
        warnings.warn(f"HypLoRA is not among peft's methods: {type(error).__name__}: {error}", stacklevel=2)


class _WithPeft:
    """Finds peft as the other finders do, and adds to what its import does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Look for peft alone. Whether it is there is asked without importing it too."""
        if fullname != "peft":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(fullname, path, target))), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_add(module: ModuleType) -> None:
                execute(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                _add()

            spec.loader.exec_module = execute_and_add  # type: ignore[method-assign]
        return spec
