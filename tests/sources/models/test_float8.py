import numpy as np
import pytest

from geoprobe.sources.models.safetensors import FLOAT8_VALUES

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(("name", "kind"), [("F8_E4M3", "float8_e4m3fn"), ("F8_E5M2", "float8_e5m2")])
def test_all_256_values_equal_torchs(name: str, kind: str) -> None:
    codes = torch.arange(256, dtype=torch.uint8)
    expected = codes.view(getattr(torch, kind)).float().numpy()
    np.testing.assert_array_equal(FLOAT8_VALUES[name], expected)
    assert (np.signbit(FLOAT8_VALUES[name]) == np.signbit(expected))[~np.isnan(expected)].all()
