"""The HTML report's scatter of a whole vocabulary beside Plotly's: size of the page, and time until it is drawn.

``python benchmarks/report.py [POINTS]``. Needs Chromium on PATH and, to compare, plotly. Each page is opened anew
several times in one browser; what is told is the median, and the ratio of two medians of the same run.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from browser import Browser
from builders import vocabulary_scatter

from geoprobe.report.html import render_html
from geoprobe.report.view import Card, Section, View
from geoprobe.scatter import VocabularyScatter

REPEATS = 7
OURS = """new Promise((done) => {
  const look = () => {
    const root = document.querySelector('[data-ready]');
    root ? done(Number(root.dataset.ready)) : setTimeout(look, 5);
  };
  look();
})"""
PLOTLY = """new Promise((done) => {
  const look = () => {
    const div = document.querySelector('.js-plotly-plot');
    div && div._fullLayout && div.querySelector('.main-svg')
      ? requestAnimationFrame(() => done(performance.now())) : setTimeout(look, 5);
  };
  look();
})"""


def vocabulary(points: int) -> VocabularyScatter:
    """Words as a tokenizer has them: two to nine letters, each once."""
    rng = np.random.default_rng(0)
    letters = rng.integers(97, 123, (points, 9)).astype(np.uint8)
    lengths = rng.integers(2, 10, points)
    tokens = [bytes(row[:length]).decode() for row, length in zip(letters, lengths, strict=True)]
    return vocabulary_scatter(points, tokens)


def our_page(scatter: VocabularyScatter, path: Path) -> None:
    card = Card("norms", "Do frequent tokens sit near the origin?", "weak", "")
    section = Section("norms", "Norms", card, "", (), (), (), (), scatter)
    path.write_text(render_html(View("geoprobe scan", "Benchmark", "", (), (), (section,), (), ())), "utf-8")


def plotly_page(scatter: VocabularyScatter, path: Path) -> bool:
    """The same points with the same hover text, by `scatter` as WebGL is off in many browsers, script included."""
    try:
        import plotly.graph_objects as go
    except ModuleNotFoundError:
        return False
    points = scatter.unpack()
    traces = [
        go.Scatter(
            x=points.x[points.groups == group],
            y=points.y[points.groups == group],
            text=[token for token, at in zip(points.tokens, points.groups, strict=True) if at == group],
            mode="markers",
            name=name,
        )
        for group, name in enumerate(scatter.group_names)
    ]
    figure = go.Figure(traces)
    figure.update_xaxes(type="log")
    figure.write_html(path, include_plotlyjs=True)
    return True


def main() -> None:
    points = int(sys.argv[1]) if len(sys.argv) > 1 else 128_256
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("No Chromium on PATH: install it to measure pages.")
    scatter = vocabulary(points)
    with tempfile.TemporaryDirectory() as name, Browser(chromium) as browser:
        browser.look(1280)
        pages = {"geoprobe": (Path(name) / "geoprobe.html", OURS)}
        our_page(scatter, pages["geoprobe"][0])
        plotly = Path(name) / "plotly.html"
        if plotly_page(scatter, plotly):
            pages["plotly"] = (plotly, PLOTLY)
        else:
            print("plotly is not installed: geoprobe alone")
        print(f"{points:,} points")
        medians = {}
        for label, (path, ready) in pages.items():
            times = []
            for _ in range(REPEATS):
                browser.open(path)
                times.append(browser.evaluate(ready))
            medians[label] = statistics.median(times)
            size = path.stat().st_size / 1e6
            print(f"{label:9} {size:5.2f} MB, ready after {medians[label]:5.0f} ms (fastest {min(times):.0f})")
        if len(medians) == 2:
            ours, theirs = (path.stat().st_size for path, _ in pages.values())
            print(f"plotly / geoprobe: time {medians['plotly'] / medians['geoprobe']:.1f}, size {theirs / ours:.1f}")


if __name__ == "__main__":
    main()
