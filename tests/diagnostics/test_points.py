import pytest

from geoprobe.diagnostics.hyperbolicity.points import even_shares


@pytest.mark.parametrize(
    ("available", "wanted", "shares"),
    [
        ([100], 32, [32]),
        ([100, 0], 32, [32, 0]),
        ([3, 100], 32, [3, 29]),
        ([100, 100, 100], 16, [6, 5, 5]),
        ([2, 150], 16, [2, 14]),
        ([2, 3], 16, [2, 3]),
        ([], 4, []),
        ([5], 0, [0]),
    ],
)
def test_shares_are_as_even_as_the_corpora_allow(available: list[int], wanted: int, shares: list[int]) -> None:
    assert even_shares(available, wanted) == shares
