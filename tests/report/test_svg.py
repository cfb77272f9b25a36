import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.markers import TICKDOWN, TICKLEFT
from matplotlib.text import Text

from geoprobe import Report
from geoprobe.figure import Axis, Band, Bars, Figure, Forest, Line, Points, Rule
from geoprobe.report.svg import FIGURE_INCHES, canvas_of, figure_svg, styled

REPORTS = Path(__file__).parents[2] / "reports"

FIGURE = Figure(
    "f",
    "A <title> & more",
    'A "caption" <b>',
    Axis("x & y"),
    Axis("$y$", "log"),
    (
        Line((1.0, 2.0), (1.0, 10.0), "a < b"),
        Points((1.0, 2.0), (2.0, 3.0), "points", "null"),
        Band((1.0, 2.0), (1.0, 2.0), (3.0, 4.0), "band", "alternative"),
        Bars((1.0, 1.5, 2.0), (1.0, 4.0), "bars", "fit"),
        Rule(1.5, "rule"),
    ),
)
SVG = "{http://www.w3.org/2000/svg}"


def test_the_same_figure_gives_the_same_svg() -> None:
    assert figure_svg(FIGURE, prefix="a", themed=True) == figure_svg(FIGURE, prefix="a", themed=True)


@pytest.mark.parametrize("themed", [True, False])
def test_nothing_in_it_needs_a_style_sheet_or_a_script(themed: bool) -> None:
    root = ElementTree.fromstring(figure_svg(FIGURE, prefix="a", themed=themed))
    for element in root.iter():
        assert element.tag not in (f"{SVG}style", f"{SVG}script", f"{SVG}metadata", f"{SVG}image")
        assert "style" not in element.attrib
        assert not any(name.startswith("on") for name in element.attrib)


def test_text_is_text_and_hostile_text_is_inert() -> None:
    svg = figure_svg(FIGURE, prefix="a", themed=True)
    texts = [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert {"x & y", "$y$", "a < b", "10"} <= set(texts)
    assert "<b>" not in svg


def test_colours_of_roles_are_the_pages_own() -> None:
    svg = figure_svg(FIGURE, prefix="a", themed=True)
    for role in ("data", "null", "fit", "alternative", "ink", "muted"):
        assert f"var(--{role})" in svg
    assert not re.findall(r'(?:fill|stroke)="#[0-9a-f]{6}"', svg)
    assert "var(" not in figure_svg(FIGURE, prefix="a", themed=False)


def test_ids_carry_the_prefix_and_every_reference_has_its_target() -> None:
    svg = figure_svg(FIGURE, prefix="norms-null", themed=True)
    root = ElementTree.fromstring(svg)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(str(one).startswith("norms-null-") for one in ids)
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg)) <= set(ids)


def test_title_and_caption_are_its_text_alternative() -> None:
    root = ElementTree.fromstring(figure_svg(FIGURE, prefix="p", themed=True))
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "p-title p-desc"
    assert root.findtext(f"{SVG}title") == FIGURE.title
    assert root.findtext(f"{SVG}desc") == FIGURE.caption


def test_a_forest_names_its_rows() -> None:
    figure = Figure("f", "", "", Axis("x"), Axis(""), (Forest(("gsm8k", "$a$"), (1.0, 2.0), (0.0, 1.0), (2.0, 3.0)),))
    assert "gsm8k" in figure_svg(figure, prefix="p", themed=True)
    assert "$a$" in figure_svg(figure, prefix="p", themed=True)


@pytest.mark.parametrize("path", sorted(REPORTS.glob("*/scan.json")), ids=lambda path: path.parent.name)
def test_labels_of_axes_and_legends_of_kept_reports_are_whole(path: Path) -> None:
    """Measured by another backend of matplotlib than the one that draws them."""
    figures = [each for result in Report.load(path).results.values() for each in result.figures()]
    drawn = [each for each in figures if isinstance(each, Figure)]
    assert len(drawn) > 10
    for figure in drawn:
        with styled():
            canvas = canvas_of(figure, FIGURE_INCHES)
            FigureCanvasAgg(canvas).draw()
        axes = canvas.axes[0]
        legend = axes.get_legend()
        labels = [axes.xaxis.label, axes.yaxis.label, *([] if legend is None else legend.get_texts())]
        for label in filter(Text.get_text, labels):
            box = label.get_window_extent()
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= canvas.bbox.x1 + 1 and box.y1 <= canvas.bbox.y1 + 1
            assert inside, (figure.title, label.get_text(), box.extents, canvas.bbox.extents)


@pytest.mark.parametrize("span", [(1.0, 1e4), (2.0, 7.0), (3e-10, 2e-7), (1.0, 1e14)])
def test_small_ticks_stand_where_matplotlib_draws_its_own(span: tuple[float, float]) -> None:
    figure = Figure("f", "", "", Axis("x"), Axis("y", "log"), (Line((1.0, 2.0), span),))
    with styled():
        canvas = canvas_of(figure, FIGURE_INCHES)
        plain = type(canvas)(figsize=canvas.get_size_inches(), layout="constrained")
        figure.draw(plain.subplots()).set_title("")
        for drawn in (canvas, plain):
            FigureCanvasAgg(drawn).draw()
        (ours,) = (line for line in canvas.axes[0].lines if line.get_marker() == TICKLEFT)
        low, high = plain.axes[0].get_ylim()
        theirs = [at for at in plain.axes[0].yaxis.get_minorticklocs() if low <= at <= high]
    assert list(ours.get_ydata()) == pytest.approx(theirs, rel=1e-12, abs=0)
    assert not canvas.axes[0].yaxis.get_minorticklocs().size
    assert not [line for line in canvas.axes[0].lines if line.get_marker() == TICKDOWN]  # of a linear axis
