import itertools

import numpy as np
import pytest

from geoprobe.stats.multiplicity import holm


def test_holms_correction_matches_a_table_worked_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holms_correction_matches_pingouin() -> None:
    pingouin = pytest.importorskip("pingouin")
    pvalues = np.random.default_rng(0).random(20) ** 3
    assert holm(pvalues.tolist()) == pytest.approx(pingouin.multicomp(pvalues, method="holm")[1])


def test_no_test_needs_no_correction() -> None:
    assert holm([]) == ()


def test_what_is_not_a_number_is_refused_in_any_order() -> None:
    for pvalues in itertools.permutations([0.01, float("nan"), 0.03]):
        with pytest.raises(ValueError, match=r"p-value [012] is NaN \(1 of 3 are\)"):
            holm(pvalues)
