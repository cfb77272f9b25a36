"""Fuzzing of the readers of files, guided by coverage: ``python tests/fuzz/fuzz.py READER -atheris_runs=200000``.

Needs atheris, which `make fuzz` installs into an environment of its own. A reader may refuse anything by a
`GeoprobeError`; whatever else it raises, and whatever takes over 10 s or 2 GB, is a find. Kept finds are cases of
``tests/bad_inputs``.
"""

import atexit
import contextlib
import io
import json
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import atheris
import numpy as np
import pyarrow as pa
from pyarrow import parquet

with atheris.instrument_imports(include=["geoprobe"]):
    import geoprobe.diagnostics.hierarchy.reading
    import geoprobe.sources.corpora
    import geoprobe.sources.counts_file
    import geoprobe.sources.models.fasttext
    import geoprobe.sources.models.gguf
    import geoprobe.sources.models.safetensors
    import geoprobe.sources.models.word_vectors
    from geoprobe.errors import GeoprobeError
    from geoprobe.report import formats as opening
    from geoprobe.sources.models.gguf_header import MoreBytes, parse_gguf_header
    from geoprobe.sources.models.gguf_tokenizer import gguf_tokenizer
    from geoprobe.sources.models.normalizer_growth import check_growth, stated_normalizer
    from geoprobe.sources.models.safetensors_header import read_header
    from geoprobe.sources.models.tokenizer import load_tokenizer
    from geoprobe.sources.parquet_pages import rows_at_a_time

FOLDER = Path(tempfile.mkdtemp(prefix="geoprobe-fuzz-"))


def file(name: str, data: bytes) -> Path:
    path = FOLDER / name
    path.write_bytes(data)
    return path


def safetensors(data: bytes) -> None:
    # the length is put right for half of the inputs, or few would pass it
    if data[:1] < b"\x80":
        data = len(data[1:]).to_bytes(8, "little") + data[1:] + b"\0" * 64
    path = file("m.safetensors", data)
    for entry in read_header(path).values():
        rows = geoprobe.sources.models.safetensors.SafetensorsRows(path, entry)
        rows.read(0, min(rows.shape[0], 4))


def gguf(data: bytes) -> None:
    opened = geoprobe.sources.models.gguf.open_gguf(file("m.gguf", b"GGUF" + data))
    for name in opened.names():
        if len(opened.shapes()[name]) == 2:
            rows = opened.rows(name)
            rows.read(0, min(rows.shape[0], 4))
    gguf_tokenizer(opened)


def report(data: bytes) -> None:
    opened = opening.open_report(file("scan.json", data))
    with opening.content_of("scan.json"):
        opened.view()
        opened.to_json()


def corpus(data: bytes) -> None:
    suffixes = (".txt", ".json", ".jsonl", ".csv", ".tsv", ".parquet", ".json.gz", ".csv.zst")
    name = f"a{suffixes[data[0] % len(suffixes)]}" if data else "a.txt"
    for _ in geoprobe.sources.corpora.open_corpus(str(file(name, data[1:]))).documents():
        pass


def counts(data: bytes) -> None:
    geoprobe.sources.counts_file.read_counts(file("c.parquet", data))


def vectors(data: bytes) -> None:
    geoprobe.sources.models.word_vectors.read_word_vectors(file("v.txt", data))


def fasttext(data: bytes) -> None:
    opened, _ = geoprobe.sources.models.fasttext.read_fasttext(file("m.bin", data))
    rows = opened.rows("vectors")
    rows.read(0, min(rows.shape[0], 4))


def pieces(data: bytes) -> None:
    load_tokenizer(file("tokenizer.model", b"\n" + data)).encode(["the cat"])


def tekken(data: bytes) -> None:
    load_tokenizer(file("tekken.json", data)).encode(["the cat"])


def taxonomy(data: bytes) -> None:
    read = geoprobe.diagnostics.hierarchy.reading.read_taxonomy
    if data[:1] < b"\x80":
        read(str(file("t.csv", b"child,parent\n" + data[1:])))
        return
    cut = data.find(b"\n\n")  # between the two files
    (FOLDER / "dict").mkdir(exist_ok=True)
    file("dict/data.noun", data[1 : cut + 1])
    file("dict/index.noun", data[cut + 2 :])
    read(str(FOLDER / "dict"))


def pages(data: bytes) -> None:
    """The page headers of a column, which takes the whole file but for what stands at a parquet file's end."""
    metadata = SimpleNamespace(num_rows=9, num_row_groups=1, row_group=lambda _: group)
    column = SimpleNamespace(
        path_in_schema="text", data_page_offset=0, has_dictionary_page=False, total_compressed_size=len(data)
    )
    group = SimpleNamespace(num_columns=1, column=lambda _: column)
    with contextlib.suppress(ValueError):
        rows_at_a_time(io.BytesIO(data), metadata, ["text"], 256)


def header(data: bytes) -> None:
    """The beginning of a GGUF file on the hub, of which more is to come."""
    try:
        parse_gguf_header(b"GGUF" + data, 1 << 30, "m.gguf")
    except MoreBytes as more:
        if more.wanted <= len(data) + 4:
            raise RuntimeError("bytes that are here are asked for again") from more


def normalizer(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        check_growth(stated_normalizer(data))


READERS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (
        safetensors,
        gguf,
        report,
        corpus,
        counts,
        vectors,
        fasttext,
        pieces,
        tekken,
        taxonomy,
        pages,
        header,
        normalizer,
    )
}


def seeds(reader: str) -> Path:
    """Sound files to start from, smaller than what takes long to read."""
    folder = FOLDER / "seeds"
    folder.mkdir()
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from builders import FEW, fasttext_model, make_model, make_report

    if reader == "safetensors":
        whole = (make_model(FOLDER / "m", dimension=2) / "model.safetensors").read_bytes()
        (folder / "whole").write_bytes(whole)
        (folder / "header").write_bytes(b"\0" + whole[8 : 8 + int.from_bytes(whole[:8], "little")])
    elif reader == "gguf":
        (folder / "empty").write_bytes((3).to_bytes(4, "little") + bytes(16))
        (folder / "one").write_bytes(_small_gguf(FOLDER / "one.gguf")[4:])
    elif reader == "report":
        data = make_report(options=FEW).to_dict()
        results = data.pop("results")
        (folder / "bare").write_text(json.dumps(data | {"results": {}}))
        for name, result in results.items():
            (folder / name).write_text(json.dumps(data | {"results": {name: result}}))
    elif reader == "corpus":
        for number, text in enumerate(("the of\n\nand", '[{"text": "the"}]', '{"text": "the"}\n', 'text\n"a, b"\n')):
            (folder / str(number)).write_bytes(bytes([number]) + text.encode())
    elif reader == "pieces":
        unknown, piece = b"\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02", b"\n\x0a\n\x01a\x15\0\0\x80\xbf\x18\x01"
        (folder / "unigram").write_bytes(unknown + piece)
        (folder / "bpe").write_bytes(unknown + piece + b"\x12\x02\x18\x02\x1a\x04\x18\x00\x20\x00")
    elif reader == "tekken":
        vocabulary = [{"rank": rank, "token_bytes": letter} for rank, letter in enumerate(("YQ==", "Yg==", "YWI="))]
        config = {"pattern": "[a-z]+|.", "default_vocab_size": 5, "default_num_special_tokens": 2}
        (folder / "small").write_text(json.dumps({"config": config, "vocab": vocabulary}))
    elif reader == "taxonomy":
        (folder / "table").write_bytes(b"\0apple,fruit\nfruit,food\n")
        entity, dog = b"00001740 03 n 01 entity 0 000 | x\n", b"00002084 05 n 01 dog 0 001 @ 00001740 n 0000 | y\n"
        (folder / "wordnet").write_bytes(b"\xff" + entity + dog + b"\ndog n 1 1 @ 1 0 00002084\n")
    elif reader == "pages":
        table = io.BytesIO()
        parquet.write_table(pa.table({"text": ["the of", "and to"] * 9}), table)
        (folder / "dictionary").write_bytes(table.getvalue()[4:200])
    elif reader == "header":
        (folder / "one").write_bytes(_small_gguf(FOLDER / "one.gguf")[4:])
    elif reader == "normalizer":
        rule = {"type": "Replace", "pattern": {"String": "a"}, "content": "bb"}
        charsmap = {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAGIA"}
        steps = {"type": "Sequence", "normalizers": [rule, {"type": "NFKC"}, charsmap]}
        (folder / "small").write_text(json.dumps({"normalizer": steps, "added_tokens": [{"content": "a"}]}))
    elif reader == "vectors":
        (folder / "glove").write_text("a 1 2\nb 3 4\n")
        (folder / "word2vec").write_text("2 2\na 1 2\nb 3 4\n")
    elif reader == "fasttext":
        (folder / "small").write_bytes(fasttext_model([b"a", b"the"], np.ones((5, 2), np.float32), buckets=3))
    return folder


def _small_gguf(path: Path) -> bytes:
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(["a", "b", "ab"])
    writer.add_token_types([1, 1, 3])
    writer.add_token_merges(["a b"])
    writer.add_tensor("token_embd.weight", np.ones((3, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


def main() -> None:
    reader = READERS[sys.argv[1]]
    # a reader's first import of it, on a busy machine, would pass for a find
    import transformers.integrations.gguf.gguf_tokenizer_mapping  # noqa: F401

    warnings.simplefilter("error")

    def one(data: bytes) -> None:
        with contextlib.suppress(GeoprobeError):
            reader(data)

    options = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=20000", f"-artifact_prefix={sys.argv[1]}-"]
    atexit.register(signal.setitimer, signal.ITIMER_REAL, 0)  # libFuzzer's clock may ring after its last input
    atheris.Setup([sys.argv[0], *options, *sys.argv[2:], str(seeds(sys.argv[1]))], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
