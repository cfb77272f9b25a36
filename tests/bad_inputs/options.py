"""Options and arguments that make no sense."""

from __future__ import annotations

from bad_inputs.case import Case, circle, pipe

__all__ = ["OPTIONS"]

SCAN = "scan tiny --corpus good.txt"


OPTIONS: dict[str, Case] = {
    "no such command": Case("charm", 2, "No such command"),
    "no model": Case("scan", 2, "Missing argument"),
    "two reports": Case("report scan.json scan.json", 2, "unexpected extra argument"),
    "no such option": Case(f"{SCAN} --colour", 2, "No such option"),
    "an option without its value": Case(f"{SCAN} --seed", 2, "requires an argument"),
    "a format that is none": Case(f"{SCAN} --format docx", 2, "no report format 'docx'"),
    "no format": Case(f"{SCAN} --format ,", 2, "No report format was given"),
    "a format that is none, in a report": Case("report scan.json --format docx", 2, "no report format 'docx'"),
    "a format that is none, in a comparison": Case(
        "compare scan.json scan.json --format docx", 2, "no report format 'docx'"
    ),
    "a report that is a pipe": Case("report p.json", 5, "is a pipe, and not a file", make=pipe("p.json")),
    "a report that is a device": Case("report /dev/zero", 5, "is a device, and not a file"),
    "a report that is a link to itself": Case("report p.json", 3, "There is no report", make=circle("p.json")),
    "a comparison with a pipe": Case("compare scan.json p.json", 5, "is a pipe, and not a file", make=pipe("p.json")),
    "a negative seed": Case(f"{SCAN} --seed -1", 2, "--seed"),
    "a seed in words": Case(f"{SCAN} --seed one", 2, "--seed"),
    "no such diagnostic": Case(f"{SCAN} --analyzer charm", 3, "no diagnostic 'charm'"),
    "no such engine": Case(f"{SCAN} --engine spark", 2, "no engine 'spark'"),
    "a data folder that is not there": Case("corpora --data nowhere", 3, "There is no data folder"),
    "a layer in words": Case(f"{SCAN} --layer last", 2, "The layer is 'last'"),
    "a layer of a fraction": Case(f"{SCAN} --layer 1.5", 2, "The layer is '1.5'"),
    "out is a file": Case(f"{SCAN} --out good.txt", 1, "good.txt cannot be written"),
    "out is below a file": Case(f"{SCAN} --out good.txt/a/b", 1, "good.txt is a file"),
    "out's name too long": Case(f"{SCAN} --out {'x' * 5000}", 1, "cannot be written"),
    "a file's place taken by a folder": Case(
        f"{SCAN} --analyzer frequency --out out",
        1,
        "out/report.pdf is a folder",
        {"out/report.pdf/x": b"", "out/scan.json": b"old"},
    ),
}
