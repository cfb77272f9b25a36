"""The page in a real browser: the vocabulary on its canvas, hostile tokens, accessibility, print."""

import csv
import dataclasses
import html
import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from builders import HOSTILE, missing, vocabulary_scatter

from geoprobe.diagnostics.hyperbolicity.token_map import TokenMap, word_map
from geoprobe.figure import Axis
from geoprobe.report.html import notebook_html, render_html
from geoprobe.report.scan import Report
from geoprobe.report.text import escape
from geoprobe.report.view import View
from geoprobe.scatter import pack_scatter

READY = """new Promise((done) => {
  const look = () => document.querySelector('[data-ready]') ? done(true) : setTimeout(look, 10);
  look();
})"""
SPACED = (" the", "  ", "\n\t", "a\u00a0b\u2028", "größer日本🙂", "")
TOKENS = [*HOSTILE, *SPACED, *(f"token{i}" for i in range(len(HOSTILE) + len(SPACED), 600))]

#: Words in both planes, one of them hostile.
MAPPED = TokenMap(
    ("the", "tree", HOSTILE[0], "leaf"),
    ((0.0, 0.0), (0.5, 0.1), (-0.3, 0.6), (0.2, -0.9)),
    ((0.0, 0.0), (0.9, 0.1), (-0.3, 0.6), (0.2, -0.9)),
    *(0.1, 0.2, 0.1, 0.2),
)


@pytest.fixture(scope="module")
def shown(hostile_report: Report) -> View:
    """A report of hostile text with a scatter whose most frequent tokens are hostile."""
    view = hostile_report.view()
    scatter = dataclasses.replace(vocabulary_scatter(600, TOKENS), title=HOSTILE[0], caption=HOSTILE[1])
    scatter = dataclasses.replace(scatter, group_names=(HOSTILE[2], HOSTILE[5]))
    sections = [
        dataclasses.replace(
            s,
            scatter=scatter if s.anchor == "norms" else None,
            word_map=word_map(MAPPED) if s.anchor == "hyperbolicity" else None,
        )
        for s in view.sections
    ]
    return dataclasses.replace(view, sections=tuple(sections))


@pytest.fixture(scope="module")
def page(shown: View, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_html(shown), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with Browser(chromium) as started:
        yield started


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    browser.look(1280)
    browser.open(page)
    assert browser.evaluate(READY)
    browser.evaluate("document.querySelector('[data-scatter]').scrollIntoView({behavior: 'instant'})")
    return browser


def part(name: str) -> str:
    return f"document.querySelector('[data-part=\"{name}\"]')"


def table(browser: Browser) -> list[list[str]]:
    rows = f"[...{part('table')}.tBodies[0].rows]"
    return list(browser.evaluate(f"{rows}.map((row) => [...row.cells].map((cell) => cell.textContent))"))


def fill(browser: Browser, name: str, text: str) -> None:
    browser.evaluate(f"{part(name)}.value = {text!r}")
    browser.evaluate(f"['input', 'change'].forEach((kind) => {part(name)}.dispatchEvent(new Event(kind)))")


def test_hostile_tokens_are_shown_and_run_nothing(opened: Browser, page: Path, shown: View) -> None:
    tokens = [row[0] for row in table(opened)]
    assert tokens == [escape(token) for token in TOKENS[: len(tokens)]]  # as the rest of the report shows them
    for key in ["Home", *["ArrowLeft"] * 12]:
        opened.press(key)
    assert opened.evaluate("document.title") == f"{shown.title} – {shown.kind}"
    assert opened.logged() == []  # no fault, and nothing that the policy had to stop
    assert opened.requests() == [page.as_uri()]


def test_the_policy_stops_any_other_script(opened: Browser) -> None:
    added = "const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.body.append(s);"
    opened.evaluate(added)
    assert opened.evaluate("document.title") != "1"
    assert any("Content Security Policy" in line for line in opened.logged())


def test_search_puts_the_token_itself_first(opened: Browser) -> None:
    fill(opened, "search", "TOKEN20")
    assert [row[0] for row in table(opened)] == ["token20", *(f"token20{i}" for i in range(10))]
    assert opened.evaluate(f"{part('count')}.textContent") == "11 tokens chosen"
    fill(opened, "search", "#606")
    assert [row[1] for row in table(opened)] == ["606"]
    fill(opened, "search", "no such token")
    assert table(opened) == []


def test_typed_ranges_choose_what_numpy_chooses(opened: Browser) -> None:
    points = vocabulary_scatter(600, TOKENS).unpack()
    for name, value in (("x-from", "3"), ("x-to", "20"), ("y-from", "2.5"), ("y-to", "3.1")):
        fill(opened, name, value)
    chosen = (np.abs(points.x - 11.5) < 8.51) & (points.y >= 2.5) & (points.y <= 3.1)
    assert opened.evaluate(f"{part('count')}.textContent") == f"{chosen.sum()} tokens chosen"
    opened.evaluate(f"{part('clear')}.click()")
    assert opened.evaluate(f"{part('count')}.textContent") == ""


def test_the_range_of_0_is_what_was_never_seen(opened: Browser) -> None:
    for filled in (("x-from", "x-to"), ("x-to",)):
        for name in filled:
            fill(opened, name, "0")
        assert opened.evaluate(f"{part('count')}.textContent") == "60 tokens chosen"
        assert {row[2] for row in table(opened)} == {"0"}
        opened.evaluate(f"{part('zoom')}.click()")  # to a range of one value: there is still a plot to point at
        opened.evaluate(f"{part('canvas')}.focus()")
        opened.press("Home")
        assert ": occurrences 0, " in opened.evaluate(f"{part('said')}.textContent")
        opened.evaluate(f"{part('zoom')}.click()")


def test_a_bound_that_is_no_number_is_marked(opened: Browser) -> None:
    invalid = f"{part('y-from')}.getAttribute('aria-invalid')"
    fill(opened, "y-from", "abc")
    assert opened.evaluate(invalid) == "true"
    assert opened.evaluate(f"{part('count')}.textContent") == ""
    fill(opened, "y-from", "2.5")
    assert opened.evaluate(invalid) is None
    fill(opened, "y-from", "abc")
    opened.evaluate(f"{part('clear')}.click()")
    assert opened.evaluate(invalid) is None


COUNTS = (48_211_337, 9_876_543, 123_457, 123_456, 45_000, 7_003, 6_001, 12, 1, 0)


@pytest.mark.parametrize("exact", [True, False])
def test_counts_are_shown_to_the_last_digit_or_to_those_that_are_known(
    browser: Browser, shown: View, tmp_path: Path, exact: bool
) -> None:
    values = np.array(COUNTS)
    scatter = pack_scatter(
        "vocabulary",
        title="",
        caption="",
        x=Axis("occurrences", "log"),
        y=Axis("norm"),
        x_values=np.maximum(values, 0.5),
        y_values=np.linspace(1, 2, len(values)),
        groups=np.zeros(len(values), dtype=int),
        group_names=("seen",),
        rows=np.arange(len(values)),
        tokens=[f"t{i}" for i in range(len(values))],
        x_exact=values if exact else None,
    )
    section = dataclasses.replace(shown.sections[0], scatter=scatter)
    (tmp_path / "r.html").write_text(render_html(dataclasses.replace(shown, sections=(section,))), encoding="utf-8")
    browser.open(tmp_path / "r.html")
    assert browser.evaluate(READY)
    said = [row[2] for row in table(browser)]
    if exact:
        assert said == [f"{count:,}" for count in COUNTS]
        fill(browser, "x-from", "123,457")
        fill(browser, "x-to", "123,457")
        assert [row[0] for row in table(browser)] == ["t2"]
    else:
        assert said == ["4.82e+7", "9.88e+6", "1.23e+5", "1.23e+5", "45,000", "7,000", "6,000", "12", "1", "0.5"]


def test_hover_reads_the_nearest_token_and_drag_brushes(opened: Browser) -> None:
    frame = f"(({{x, y, width, height}}) => [x, y, width, height])({part('canvas')}.getBoundingClientRect())"
    left, top, width, height = opened.evaluate(frame)
    points = vocabulary_scatter(600, TOKENS).unpack()
    for point in (0, 3, 40):  # where the page's margins of 58, 12, 10 and 46 pixels, and 2% of the range, put them
        along = np.log(points.x[point] / points.x.min()) / np.log(points.x.max() / points.x.min())
        up = (points.y[point] - points.y.min()) / np.ptp(points.y)
        x = left + 58 + (along + 0.02) / 1.04 * (width - 70)
        opened.mouse("mouseMoved", x, top + height - 46 - (up + 0.02) / 1.04 * (height - 56))
        assert opened.evaluate(f"{part('said')}.textContent").startswith(f"{escape(TOKENS[point])} (row {point + 7}, ")
    opened.mouse("mousePressed", left + 70, top + 20, "left")
    opened.mouse("mouseMoved", left + width - 20, top + height - 60, "left")
    opened.mouse("mouseReleased", left + width - 20, top + height - 60, "left")
    chosen = int(opened.evaluate(f"{part('count')}.textContent").split()[0])
    assert 0 < chosen < 600
    low, high = (float(opened.evaluate(f"{part(name)}.value")) for name in ("x-from", "x-to"))
    assert low < high
    opened.press("Escape")
    assert opened.evaluate(f"{part('x-from')}.value") == ""


def drag(browser: Browser, start: tuple[float, float], end: tuple[float, float], button: str = "left") -> None:
    browser.mouse("mousePressed", *start, button)
    for share in (0.5, 1):
        at = [one + share * (two - one) for one, two in zip(start, end, strict=True)]
        browser.mouse("mouseMoved", *at, button)
    browser.mouse("mouseReleased", *end, button)


def middle(browser: Browser) -> tuple[float, float]:
    frame = f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({part('canvas')}.getBoundingClientRect())"
    x, y = browser.evaluate(frame)
    return x, y


@pytest.mark.parametrize(("way", "free"), [((200, 0), "y"), ((0, 120), "x")])
def test_a_drag_along_one_axis_chooses_by_that_one_alone(opened: Browser, way: tuple[int, int], free: str) -> None:
    x, y = middle(opened)
    drag(opened, (x, y), (x + way[0], y + way[1]))
    assert [opened.evaluate(f"{part(f'{free}-{end}')}.value") for end in ("from", "to")] == ["", ""]
    chosen = int(opened.evaluate(f"{part('count')}.textContent").split()[0])
    assert 0 < chosen < 600
    opened.evaluate(f"{part('zoom')}.click()")
    opened.evaluate(f"{part('canvas')}.focus()")
    opened.press("Home")
    assert opened.evaluate(f"{part('said')}.textContent") != ""
    opened.evaluate(f"{part('zoom')}.click()")


def test_only_the_first_button_brushes_and_what_is_called_off_chooses_nothing(opened: Browser) -> None:
    x, y = middle(opened)
    drag(opened, (x, y), (x + 150, y + 90), "right")
    assert opened.evaluate(f"{part('count')}.textContent") == ""
    opened.mouse("mousePressed", x, y, "left")
    opened.mouse("mouseMoved", x + 50, y + 50, "left")
    opened.evaluate(f"{part('canvas')}.dispatchEvent(new PointerEvent('pointercancel', {{pointerId: 1}}))")
    opened.mouse("mouseMoved", x + 150, y + 90, "left")
    opened.mouse("mouseReleased", x + 150, y + 90, "left")
    assert opened.evaluate(f"{part('count')}.textContent") == ""


def test_an_axis_of_any_range_has_ticks_and_ends(opened: Browser) -> None:
    for scale, low, high in (("linear", 1e16, 1e16 + 2), ("log", 1, 1e300), ("linear", -1e308, 1e308), ("log", 0, 0)):
        axis = f"new Scale({{scale: {scale!r}}}, [{low}, {high}], new Uint16Array())"
        assert opened.evaluate(f"{axis}.ticks(6).length") <= 8


def test_the_keyboard_reaches_every_token_of_a_row(opened: Browser) -> None:
    opened.evaluate(f"{part('canvas')}.focus()")
    opened.press("Home")
    said = [opened.evaluate(f"{part('said')}.textContent")]
    for _ in range(5):
        opened.press("ArrowLeft")
        said.append(opened.evaluate(f"{part('said')}.textContent"))
    assert len(set(said)) == 6
    opened.press("ArrowRight")
    assert opened.evaluate(f"{part('said')}.textContent") != said[-1]


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_screen_and_the_canvas_is_sharp(opened: Browser, width: int, dark: bool) -> None:
    opened.look(width, dark=dark, ratio=2)
    opened.evaluate("new Promise((done) => setTimeout(() => requestAnimationFrame(done), 100))")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    size = opened.evaluate(f"[{part('canvas')}.width, {part('canvas')}.clientWidth]")
    assert abs(size[0] - 2 * size[1]) <= 2
    pixels = f"{part('canvas')}.getContext('2d').getImageData(0, 0, {size[0]}, 200).data"
    assert opened.evaluate(f"{pixels}.filter((value, at) => at % 4 === 3 && value).length") > 1000


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_serious_fault(opened: Browser, width: int, dark: bool) -> None:
    axe = Path(os.environ.get("GEOPROBE_AXE", "node_modules/axe-core/axe.min.js"))
    if not axe.is_file():
        missing("axe", f"no axe-core at {axe}: npm install axe-core, and set GEOPROBE_AXE to its axe.min.js")
    opened.look(width, dark=dark)
    opened.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    # laid out as a whole: axe passes over what content-visibility skips
    opened.evaluate(
        "document.querySelectorAll('section').forEach((each) => (each.style.contentVisibility = 'visible'))"
    )
    opened.evaluate(axe.read_text(encoding="utf-8") + "; true")
    faults = "violations.map((v) => [v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)])"
    assert opened.evaluate(f"axe.run().then(({{violations}}) => {faults})") == []


def test_print_shows_every_section_and_the_still_picture(opened: Browser, tmp_path: Path) -> None:
    opened.look(1280, media="print")
    displayed = "(name) => getComputedStyle(document.querySelector(name)).display"
    assert opened.evaluate(f"({displayed})('.still')") == "block"
    assert opened.evaluate(f"({displayed})('.live')") == "none"
    opened.pdf(tmp_path / "printed.pdf")
    command = ["pdftotext", "-layout", str(tmp_path / "printed.pdf"), "-"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        missing("poppler", "no pdftotext on PATH")
    for heading in (
        "Token frequency",
        "Provenance",
        "How it is measured",
        "Rule of the verdict",
        "SHA-256 of the tensor",
    ):
        assert heading in text


def test_a_notebook_and_a_page_without_script_show_the_still_picture(shown: View) -> None:
    text = render_html(shown, live=False)
    assert "<script" not in text
    assert "Nothing in this page runs" in text
    assert "data-scatter" not in text
    assert "<script" not in html.unescape(notebook_html(shown))


def test_a_zoom_leaves_the_tokens_in_view_in_table_and_file(opened: Browser) -> None:
    fill(opened, "x-from", "20")
    chosen = table(opened)
    opened.evaluate(f"{part('zoom')}.click()")
    assert table(opened) == chosen
    assert opened.evaluate(f"{part('caption')}.textContent").split(";")[0].endswith("tokens in view")
    opened.evaluate(f"{part('zoom')}.click()")
    assert opened.evaluate(f"{part('caption')}.textContent").startswith("600 tokens;")


def test_what_is_chosen_is_saved_as_a_csv_file_that_no_spreadsheet_runs(opened: Browser) -> None:
    fill(opened, "search", HOSTILE[0][:5])
    saved = opened.evaluate(
        """(async () => {
          let made;
          URL.createObjectURL = (blob) => ((made = blob), "about:blank");
          HTMLAnchorElement.prototype.click = function () { made.name = this.download; };
          document.querySelector('[data-part="save"]').click();
          return [made.name, await made.text()];
        })()"""
    )
    name, text = saved
    assert name == "tokens.csv"
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0][:2] == ["token", "row"]
    assert [row[1] for row in rows[1:]] == [row[1] for row in table(opened)]
    assert not any(row[0].startswith(("=", "+", "-", "@")) for row in rows)


PLACES = "document.querySelector('[data-words]').planes.map((plane) => plane.moved)"


def disk_distances(places: list[list[float]]) -> np.ndarray:
    at = np.array(places)
    free = 1 - (at**2).sum(axis=1)
    return np.arccosh(1 + 2 * ((at[:, None] - at[None]) ** 2).sum(axis=2) / (free[:, None] * free[None]))


@pytest.mark.parametrize(("plane", "name"), [(0, "disk"), (1, "plane")])
def test_a_plane_is_dragged_by_what_leaves_its_distances_as_they_are(opened: Browser, plane: int, name: str) -> None:
    distances = (
        disk_distances,
        lambda places: np.linalg.norm(np.array(places)[:, None] - np.array(places)[None], axis=2),
    )[plane]
    opened.evaluate(f"{part(name)}.scrollIntoView({{behavior: 'instant', block: 'center'}})")
    before = opened.evaluate(PLACES)
    x, y, size = opened.evaluate(
        f"(() => {{ const r = {part(name)}.getBoundingClientRect(); return [r.x, r.y, r.width]; }})()"
    )
    drag(opened, (x + 0.5 * size, y + 0.5 * size), (x + 0.7 * size, y + 0.4 * size))
    after = opened.evaluate(PLACES)
    assert np.abs(np.array(after[plane]) - before[plane]).max() > 0.1
    assert distances(after[plane]) == pytest.approx(distances(before[plane]), abs=1e-9)
    assert after[1 - plane] == before[1 - plane]
    # the point that was taken hold of, here the first word, is where the pointer let it go
    assert after[plane][0] == pytest.approx([0.2 / 0.46, 0.1 / 0.46], abs=0.02)
    opened.evaluate("document.querySelector('[data-part=\"reset\"]').click()")
    assert opened.evaluate(PLACES) == before


def test_a_word_that_is_looked_for_is_said(opened: Browser) -> None:
    found = opened.evaluate(
        """(() => {
          const map = document.querySelector('[data-words]');
          const search = map.querySelector('[data-part="search"]');
          search.value = "le";
          search.dispatchEvent(new Event("input"));
          return map.querySelector('[data-part="said"]').textContent;
        })()"""
    )
    assert found == "leaf"
