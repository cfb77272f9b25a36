from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoprobe.errors import BadDataError, UsageError
from geoprobe.report.scan import Report
from geoprobe.results import Estimate, Interval, NullDistribution, Row, from_builtins, number, span


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        ("a", "a"),
        (1234567, "1,234,567"),
        (-3, "−3"),
        (0.0, "0.000"),
        (0.0213, "0.021"),
        (-0.4127, "−0.413"),
        (-0.0003, "−0.0003"),
        (0.000999, "0.001"),
        (0.001, "0.001"),
        (0.00051, "0.00051"),
        (0.0005, "0.0005"),
        (0.00049, "0.00049"),
        (0.00712, "0.0071"),
        (0.0002, "0.0002"),
        (0.01, "0.010"),
        (0.9996, "1.00"),
        (9.996, "10.0"),
        (-99.96, "−100"),
        (1.96, "1.96"),
        (23.84, "23.8"),
        (999.7, "1,000"),
        (123456.0, "123,456"),
        (2.5e-7, "2.50e−07"),
        (3.2e9, "3.20e+09"),
    ],
)
def test_numbers_are_shown_with_three_digits_and_a_true_minus(value: object, shown: str) -> None:
    assert number(value) == shown  # type: ignore[arg-type]


@given(st.floats(-1e300, 1e300))
def test_a_shown_number_is_near_its_value(value: float) -> None:
    shown = float(number(value).replace("−", "-").replace(",", ""))
    assert shown == pytest.approx(value, rel=0.05)  # two digits at least


def test_a_span_needs_both_ends() -> None:
    assert span(0.5, 1.0) == "0.500 to 1.00"
    assert span(None, 1.0) == ""
    assert span(3.0, 1044.0) == "3 to 1,044"
    assert span(0.0, 1.0) == "0.000 to 1.00"


def test_the_path_of_a_wrong_field_is_named() -> None:
    with pytest.raises(BadDataError, match=r"The estimate does not have the form.*\$\.interval\.low"):
        from_builtins(
            Estimate,
            {"symbol": "x", "label": "y", "value": 1.0, "interval": {"low": "a", "high": 2.0}},
            what="estimate",
        )


def test_the_mean_of_a_null_is_that_of_its_replicates() -> None:
    null = NullDistribution("m", "s", 1.0, (1.0, 2.0, 6.0), "less", 0.5)
    assert null.mean == 3.0
    assert NullDistribution("m", "s", None, (), "less", None).mean is None


def test_an_interval_is_of_95_percent_unless_said() -> None:
    assert Interval(0.0, 1.0, "bootstrap").level == 0.95


def test_plot_names_the_figures_there_are(hyperbolicity_result: object) -> None:
    names = "prompts, ladder, null, sizes, tree-most, tree-least, map-disk, map-plane"
    with pytest.raises(UsageError, match=f"no figure 'nope'.\nIt has: {names}"):
        hyperbolicity_result.plot("nope")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("Spearman's ρ, all seen tokens", "spearman_s_rho_all_seen_tokens"),
        ("γ implied, 2/ζ + 1", "gamma_implied_2_zeta_1"),
        ("x_min", "x_min"),
        ("é日", "e"),
    ],
)
def test_keys_are_identifiers_of_ascii_letters(words: str, key: str) -> None:
    assert Row(words, 1.0).key == key


#: What code relies on: a key that goes or changes is a change of the interface.
KEYS = {
    "frequency": "gamma xmin ks pvalue tail_types tail_type_share tail_token_share zipf_s mandelbrot_q types tokens",
    "norms": "spearman_rho spearman_rho_traits_controlled spearman_rho_seen_10 spearman_rho_whole_vocabulary "
    "kendall_tau_b kendall_tau_b_whole_vocabulary pearson_r_log pearson_r_log_whole_vocabulary pvalue tokens_seen "
    "norm_mean norm_sd norm_smallest norm_largest lookup_factor rows_not_finite rows_zero rows_unnamed",
    "hyperbolicity": "holland delta delta_sd delta_null delta_pvalue prompts dimension",
}


def test_numbers_have_stable_keys_in_every_frame(report: Report) -> None:
    for name, keys in KEYS.items():
        frame = report[name].to_frame()
        assert frame.index.is_unique
        assert all(key.isascii() and key.isidentifier() for key in frame.index)
        assert set(keys.split()) <= set(frame.index)
        assert list(frame.columns) == ["label", "value", "low", "high", "note"]
        whole = report.to_frame().loc[name]
        assert list(whole.index) == list(frame.index)
        assert whole["label"].tolist() == frame["label"].tolist()
    assert report["norms"].to_frame().loc["spearman_rho", "value"] == report["norms"].estimate.value


def test_every_table_is_a_frame_and_all_numbers_a_csv(report: Report, tmp_path: Path) -> None:
    import pandas as pd

    frames = report.tables()
    for name in report:
        for table in report[name].tables():
            frame = frames[f"{name}.{table.name}"]
            assert list(frame.columns) == list(table.columns)
            assert len(frame) == len(table.rows)
    read = pd.read_csv(report.save(tmp_path / "x.csv"), index_col=["result", "key"])
    assert list(read.index) == list(report.to_frame().index)
    assert float(read.loc[("norms", "spearman_rho"), "value"]) == report["norms"].estimate.value
