import matplotlib as mpl
import pytest
from matplotlib.figure import Figure as Canvas

from geoprobe.figure import PALETTE, Axis, Band, Bars, Figure, Forest, Labels, Line, Points, Rule, floats

EVERY_LAYER = (
    Band((1.0, 10.0), (0.0, 1.0), (1.0, 2.0), "band"),
    Bars((0.0, 1.0, 2.0), (3.0, 4.0), "bars", "null"),
    Line((1.0, 10.0), (1.0, 2.0), "line", "fit", dashed=True),
    Points((1.0, 10.0), (1.0, 2.0), "$points$", "muted"),
    Rule(5.0, "rule", vertical=False),
    Forest(("a", "b_$x$"), (1.0, 2.0), (0.5, 1.5), (1.5, 3.0), "forest", offset=0.1),
    Labels((1.0,), (1.0,), ("$x$ <b>",)),
)


def drawn(figure: Figure) -> mpl.axes.Axes:
    return figure.draw(Canvas().subplots())


def test_every_layer_is_drawn_with_its_label() -> None:
    axes = drawn(Figure("all", "Title", "Caption.", Axis("x"), Axis("y"), EVERY_LAYER))
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [layer.label for layer in EVERY_LAYER if layer.label]
    assert axes.get_title() == "Title"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


def test_text_with_dollars_is_never_taken_as_mathematics() -> None:
    axes = drawn(Figure("all", "$\\frac{", "", Axis("$\\x"), Axis("$"), EVERY_LAYER))
    axes.figure.canvas.draw()


def test_logarithmic_ticks_are_plain_numbers() -> None:
    axes = drawn(Figure("log", "", "", Axis("x", "log"), Axis("y", "log"), (Line((1e-3, 1e7), (1e-2, 1e6)),)))
    axes.figure.canvas.draw()
    labels = {text.get_text() for text in axes.get_xticklabels()}
    assert {"10⁻³", "10", "1,000", "100,000", "10⁷"} <= labels
    assert not any("$" in label for label in labels)


@pytest.mark.parametrize(
    ("ends", "labels"),
    [
        ((100.0, 1000.0), ["100", "1,000"]),
        ((2.2, 80.0), ["2", "5", "10", "20", "50"]),
        ((20.0, 90.0), ["20", "50"]),
        ((3e-4, 1e-3), ["5×10⁻⁴", "10⁻³"]),
        ((3e-4, 5e-4), ["3×10⁻⁴", "3.5×10⁻⁴", "4×10⁻⁴", "4.5×10⁻⁴", "5×10⁻⁴"]),
        ((6.1, 9.2), ["6", "7", "8", "9"]),
        ((2e6, 9e6), ["2×10⁶", "5×10⁶"]),
    ],
)
def test_a_logarithmic_axis_of_any_range_has_numbers(ends: tuple[float, float], labels: list[str]) -> None:
    for which in ("x", "y"):
        x, y = (Axis("", "log" if which == each else "linear") for each in ("x", "y"))
        axes = drawn(Figure("log", "", "", x, y, (Line(ends, ends),)))
        axes.figure.canvas.draw()
        axis = getattr(axes, f"{which}axis")
        low, high = axis.get_view_interval()
        ticks = zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
        assert [text.get_text() for text, at in ticks if low <= at <= high] == labels


def test_limits_and_ticks_are_kept() -> None:
    axes = drawn(Figure("t", "", "", Axis("x", limits=(0.5, 4.5), ticks=(1, 2, 3, 4)), Axis("y"), ()))
    assert axes.get_xlim() == (0.5, 4.5)
    assert list(axes.get_xticks()) == [1, 2, 3, 4]


def test_new_axes_are_made_where_none_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    axes = Figure("t", "T", "", Axis("x"), Axis("y"), (Line((0.0, 1.0), (0.0, 1.0)),)).draw()
    assert axes.get_title() == "T"
    pyplot.close("all")


def test_colours_of_roles_differ() -> None:
    assert len(set(PALETTE.values())) == len(PALETTE)


def test_floats_are_plain() -> None:
    import numpy as np

    assert floats(np.float32([1, 2])) == (1.0, 2.0)
    assert all(type(value) is float for value in floats(np.float32([1, 2])))
