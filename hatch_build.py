"""What hatch does besides packing: compile the kernels ahead, for wheels and editable installs.

``GEOPROBE_PREBUILT=0`` leaves it out, and a machine where it fails goes on without: kernels are then compiled when they
are called, and the wheel is pure.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.requirements import Requirement
from packaging.tags import sys_tags

#: What compiling needs of the package's own requirements.
NEEDED = ("filelock", "numba")


class KernelsHook(BuildHookInterface):
    """Runs ``geoprobe.kernels``, and takes its file into the wheel."""

    def dependencies(self) -> list[str]:
        """Requirements of the package that the build needs too."""
        wanted = NEEDED if self._wanted() else ()
        return [line for line in self.metadata.core.dependencies if Requirement(line).name in wanted]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, before anything is packed."""
        if not self._wanted():
            return
        command = [sys.executable, "-m", "geoprobe.kernels"]
        compiled = subprocess.run(command, cwd=self.root, capture_output=True, text=True)
        if compiled.returncode:
            self.app.display_warning(f"Kernels are not compiled ahead:\n{compiled.stderr}")
            return
        build_data["artifacts"].append(f"/geoprobe/stats/{Path(compiled.stdout.strip()).name}")
        build_data["pure_python"] = False
        # kernels call no C library but through numba, whose own wheels are of this tag
        tag = next(tag for tag in sys_tags() if not tag.platform.startswith("linux_"))
        build_data["tag"] = re.sub(r"manylinux_\d+_\d+", "manylinux_2_17", str(tag))

    def _wanted(self) -> bool:
        return self.target_name == "wheel" and os.environ.get("GEOPROBE_PREBUILT") != "0"
