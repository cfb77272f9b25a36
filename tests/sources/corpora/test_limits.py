"""What a hostile or huge file costs: seconds and anonymous memory, measured in a process of its own."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

#: Reads a corpus and prints the number of documents, the longest one, the peak of RssAnon over its start, and seconds.
MEASURED = """
import re, sys, threading, time
from pathlib import Path
import pyarrow
from geoprobe.errors import GeoprobeError
from geoprobe.sources.corpora import open_corpus

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

def watch():
    global peak
    while True:
        peak = max(peak, anonymous())
        time.sleep(0.005)

before = peak = anonymous()
threading.Thread(target=watch, daemon=True).start()
start, number, longest, said = time.perf_counter(), 0, 0, ""
try:
    for text in open_corpus(sys.argv[1]).documents():
        number, longest = number + 1, max(longest, len(text))
except GeoprobeError as error:
    said = f"{error.exit_code} {error.message}"
import json
print(json.dumps([number, longest, peak - before, time.perf_counter() - start, said]))
"""


def measured(path: Path, code: str = MEASURED) -> tuple[int, int, int, float, str]:
    if not Path("/proc/self/status").is_file():
        pytest.skip("no /proc to read memory from")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"},
    )
    number, longest, peak, seconds, said = json.loads(done.stdout)
    return number, longest, peak, seconds, said


def test_a_line_of_100_mb_is_cut_in_bounded_memory(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        for _ in range(100):
            file.write(b"some words " * 90_910)
    number, longest, peak, _, said = measured(tmp_path / "a.txt")
    assert said == ""
    assert number == 101
    assert longest <= 1_000_000
    assert peak < 30


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
def test_a_record_of_100_mb_is_bad_data_in_bounded_memory(tmp_path: Path, name: str) -> None:
    start = {"a.jsonl": b'{"text": "x"}\n{"text": "', "a.json": b'[{"text": "', "a.csv": b"text\n"}[name]
    with (tmp_path / name).open("wb") as file:
        file.write(start)
        for _ in range(100):
            file.write(b"x" * 1_000_000)
    _, _, peak, seconds, said = measured(tmp_path / name)
    assert said.startswith("5 ")
    assert "longer than 16,000,000 characters" in said
    assert peak < 120
    assert seconds < 5


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_decompression_bomb_is_unpacked_no_further_than_it_is_read(tmp_path: Path, suffix: str) -> None:
    block = b"x " * 500_000
    packed = gzip.compress(block) if suffix == ".gz" else pa.compress(block, codec="zstd", asbytes=True)
    path = tmp_path / f"a.jsonl{suffix}"
    path.write_bytes(packed * 1000)  # a gigabyte in a line
    _, _, peak, seconds, said = measured(path)
    assert said.startswith("5 ")
    assert "line 1, is longer" in said
    assert peak < 120
    assert seconds < 5


def test_a_json_list_is_read_in_the_memory_of_its_records(tmp_path: Path) -> None:
    with (tmp_path / "a.json").open("w") as file:
        file.write('{"data": [')
        for number in range(50_000):
            file.write(json.dumps({"text": f"{number} " + "words " * 150}) + ",\n")
        file.write('"last"]}')
    number, _, peak, _, said = measured(tmp_path / "a.json")
    assert (number, said) == (50_001, "")
    assert peak < 25  # of 46 MB of text


#: The same, counting by the demo model's tokenizer.
COUNTED = MEASURED.replace(
    "    for text in open_corpus(sys.argv[1]).documents():\n"
    "        number, longest = number + 1, max(longest, len(text))\n",
    "    from geoprobe.sources.counting import count_tokens\n"
    "    from geoprobe.sources.models.loading import open_tokenizer\n"
    "    tokenizer = open_tokenizer('demo')\n"
    "    counts, _ = count_tokens(\n"
    "        tokenizer, open_corpus(sys.argv[1]), rows=tokenizer.size, max_prompts=1000, seed=0\n"
    "    )\n"
    "    number, longest = counts.n_documents, counts.n_tokens\n",
)


@pytest.mark.slow
def test_counting_a_gigabyte_takes_no_more_memory_than_counting_ten_megabytes(demo: Path, tmp_path: Path) -> None:
    from pydoc_data import topics

    manual = "\n\n".join(topics.topics.values())
    peaks = {}
    for megabytes in (10, 1000):
        with (tmp_path / "a.txt").open("w") as file:
            for _ in range(megabytes * 1_000_000 // len(manual.encode()) + 1):
                file.write(manual + "\n\n")
        _, tokens, peaks[megabytes], _, said = measured(tmp_path / "a.txt", COUNTED)
        assert said == ""
        assert tokens > 150_000 * megabytes
    assert peaks[1000] < peaks[10] + 60
