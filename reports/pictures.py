"""Make the README's pictures from the kept reports, in headless Chromium.

Run from the checkout: ``python reports/pictures.py``, or `make pictures`. Needs Chromium on PATH.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import geoprobe
from geoprobe.report.formats import open_report

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from browser import Browser  # noqa: E402

SCAN = HERE / "smollm2-135m-instruct" / "scan.json"
COMPARISON = HERE / "comparison" / "comparison.json"
READY = """new Promise((done) => {
  const look = () => document.querySelector('[data-ready]') ? done(true) : setTimeout(look, 10);
  look();
})"""
#: What the picture of the vocabulary searches for: frequent words and numbers, far apart.
SEARCH = " the"


def first_screen(browser: Browser, page: Path, picture: Path, height: int) -> None:
    browser.look(1180, height)
    browser.open(page)
    browser.picture(picture)


def vocabulary(browser: Browser, page: Path, picture: Path) -> None:
    """The canvas, with a token found."""
    browser.look(1180, 1000)
    browser.open(page)
    browser.evaluate(READY)
    browser.evaluate("document.querySelector('[data-scatter]').scrollIntoView({behavior: 'instant'})")
    field = "document.querySelector('[data-part=\"search\"]')"
    browser.evaluate(f"{field}.value = {SEARCH!r}; {field}.dispatchEvent(new Event('input'))")
    browser.evaluate("document.querySelector('canvas').focus()")
    browser.press("Home")
    frame = """(() => {
      const place = (name) => document.querySelector(name).getBoundingClientRect();
      const [top, end] = [place('[data-scatter]'), place('.said')];
      return { x: top.x + scrollX - 12, y: top.y + scrollY, width: top.width + 24, height: end.bottom - top.top };
    })()"""
    browser.picture(picture, clip=browser.evaluate(frame))


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("No Chromium on PATH: install it to make the pictures.")
    target = HERE / "pictures"
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, Browser(chromium) as browser:
        # drawn by the code as it is, whatever drew the kept pages
        report = geoprobe.Report.load(SCAN)
        page = report.save(Path(name) / "report.html")
        first_screen(browser, page, target / "report.png", 1060)
        if any(result.scatter() is not None for result in report.results.values()):
            vocabulary(browser, page, target / "vocabulary.png")
        if COMPARISON.is_file():
            page = open_report(COMPARISON).save(Path(name) / "comparison.html")
            first_screen(browser, page, target / "comparison.png", 900)


if __name__ == "__main__":
    main()
