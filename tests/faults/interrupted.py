"""Run by a fresh interpreter: start one scan after another, send each a signal at a random moment, say what is left.

Every scan is a child forked from here, where everything is imported already, so that the moments fall into the work and
not into the imports. A line of JSON each.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import geoprobe.report.formats
import geoprobe.report.html
import geoprobe.report.markdown
import geoprobe.scanning  # noqa: F401
from geoprobe import cli


def run(arguments: list[str], stderr: Path) -> int:
    """Start a scan in a child, its standard error in a file; the child's process id."""
    child = os.fork()
    if child:
        return child
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    for each in (signal.SIGINT, signal.SIGTERM):  # until the command line has handlers of its own
        signal.signal(each, lambda number, _: os._exit(128 + number))
    try:
        cli.main(arguments)
    except SystemExit as left:
        os._exit(int(left.code or 0))
    os._exit(99)


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def main() -> None:
    model, corpus, work = sys.argv[1:4]
    name, times, seed = sys.argv[4], int(sys.argv[5]), int(sys.argv[6])
    sent, rng, out, errors = signal.Signals[name], random.Random(seed), Path(work) / "out", Path(work) / "stderr"
    command = ["scan", model, "--corpus", corpus, "--analyzer", "frequency", "--out", str(out), "-q"]
    command += ["--format", "json,html,md", "--seed"]
    versions = []
    for each in ("1", "2"):
        start = time.perf_counter()
        assert ended(run([*command, each], errors)) == 0, errors.read_text()
        seconds = time.perf_counter() - start
        versions.append(content(out))
    for _ in range(times):
        for old in out.iterdir():
            old.unlink()
        for old_name, data in versions[0].items():
            (out / old_name).write_bytes(data)
        child = run([*command, "2"], errors)
        # half of the moments fall into the last fifth, where files are written
        time.sleep(seconds * (rng.uniform(0.02, 1.1) if rng.random() < 0.5 else rng.uniform(0.8, 1.05)))
        os.kill(child, sent)  # of one that has ended, too: it is not waited for yet
        code = ended(child)
        found = content(out)
        kept = {key: data for key, data in found.items() if not key.startswith(".")}
        states = [next((i for i, files in enumerate(versions) if files[key] == data), -1) for key, data in kept.items()]
        said = errors.read_text(errors="replace")
        left = {"code": code, "states": states, "rests": len(found) - len(kept), "said": said}
        sys.stdout.write(json.dumps(left) + "\n")
        sys.stdout.flush()  # a child would have a copy of what is not written yet


if __name__ == "__main__":
    main()
