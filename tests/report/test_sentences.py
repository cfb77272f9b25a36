"""Every sentence that a report can say, in one file to be read in one go: ``sentences.txt`` beside this one.

``python tests/report/test_sentences.py`` writes it anew after a change.
"""

import ast
from pathlib import Path

import geoprobe

ROOT = Path(geoprobe.__file__).parent
LISTED = Path(__file__).with_name("sentences.txt")
#: Where the words of reports are: diagnostics, what puts them together, and experiments.
SPOKEN = (
    "diagnostics/**/*.py",
    "report/compared.py",
    "report/comparison.py",
    "report/conclusion.py",
    "report/scan.py",
    "comparing.py",
    "training/report/explanations.py",
    "training/report/figures.py",
    "training/report/tables.py",
    "training/verdict.py",
    "training/report/view.py",
    "training/report/words.py",
)
#: Calls whose text is an error's and not a report's.
ERRORS = ("Error", "Exit")


def spoken(source: str) -> list[str]:
    """Texts of a module that hold a few words, what is filled in as ``{…}``; docstrings and errors left out."""
    tree = ast.parse(source)
    silent = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(node.value)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(ERRORS):
            silent.update(ast.walk(node))
        if isinstance(node, ast.JoinedStr):
            silent.update(each for value in node.values for each in ast.walk(value) if isinstance(each, ast.Constant))
            # texts within what is filled in are said too
            inner = [value for value in node.values if isinstance(value, ast.FormattedValue)]
            silent.difference_update(each for value in inner for each in ast.walk(value.value))
    found = []
    for node in ast.walk(tree):
        if node in silent:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else "{…}"
                for value in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if len(text.replace("{…}", "").split()) > 2:
            found.append((node.lineno, node.col_offset, " ".join(text.split())))
    return [text for _, _, text in sorted(found)]


def listed() -> str:
    parts = []
    for path in sorted({path for pattern in SPOKEN for path in ROOT.glob(pattern)}):
        texts = spoken(path.read_text("utf-8"))
        if texts:
            parts.append("\n".join([f"# {path.relative_to(ROOT).as_posix()}", *texts]))
    return "\n\n".join(parts) + "\n"


def test_every_sentence_that_a_report_can_say_is_listed() -> None:
    assert listed() == LISTED.read_text("utf-8"), f"Read what changed, then: python {Path(__file__).name}"


def test_a_text_is_found_with_what_is_filled_in_and_an_error_or_docstring_is_not() -> None:
    source = '''
def f(n):
    """One line of docstring."""
    if n:
        raise UsageError(f"There are {n} of them.", "Give another one instead.")
    return f"Only {n} were seen, {'which is too few' if n else ''}.", "short one"
'''
    assert spoken(source) == ["Only {…} were seen, {…}.", "which is too few"]


if __name__ == "__main__":
    LISTED.write_text(listed(), "utf-8")
