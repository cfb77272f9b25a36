"""One draw of every known truth; `make calibrate` runs many and keeps their rates."""

from importlib import import_module
from pathlib import Path

import pytest

DIAGNOSTICS = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if path.stem not in ("tables", "truth", "worlds", "test_smoke")
)


@pytest.mark.slow
@pytest.mark.parametrize("diagnostic", DIAGNOSTICS)
def test_the_labels_of_known_truths_are_right(diagnostic):
    known = import_module(f"calibration.{diagnostic}").truths()
    wrong = [(truth.name, label) for truth in known if (label := truth.run(0).label) not in truth.right]
    assert len(wrong) <= len(known) // 10, wrong
