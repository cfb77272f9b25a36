"""Models that cannot be scanned."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import gguf
import numpy as np
from bad_inputs.case import EMBEDDING, Case, circle, model_with, pipe, raw_safetensors
from builders import fasttext_model

__all__ = ["MODELS"]

ENTRY = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
SCAN = "scan tiny --corpus good.txt"
ONES = np.ones((127, 4), np.float32)


def header(**changed: object) -> dict[str, bytes]:
    return {"m/model.safetensors": raw_safetensors({EMBEDDING: ENTRY | changed}, b"\0" * 16)}


def index(mapping: object) -> dict[str, bytes]:
    return {"tiny/model.safetensors.index.json": json.dumps(mapping).encode()}


def config(text: str) -> dict[str, bytes]:
    return {"tiny/config.json": text.encode("utf-8", "surrogatepass")}


def gguf_head(version: int = 3, tensors: int = 0, values: int = 0, rest: bytes = b"", magic: bytes = b"GGUF") -> bytes:
    return magic + struct.pack("<IQQ", version, tensors, values) + rest


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def whole_gguf(folder: Path, *, tokens: object = None, **metadata: object) -> None:
    """A GGUF file that is sound but for what is given."""
    writer = gguf.GGUFWriter(str(folder / "m.gguf"), "llama")
    if tokens is not None:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_array("tokenizer.ggml.tokens", tokens)  # type: ignore[arg-type]
    for key, value in metadata.items():
        if isinstance(value, list):
            writer.add_array(key.replace("__", "."), value)
        else:
            writer.add_string(key.replace("__", "."), str(value))
    writer.add_tensor("token_embd.weight", np.ones((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def fasttext(says: str, matrix: np.ndarray | None = None, word: bytes = b"a", **changed: int) -> Case:
    matrix = np.ones((5, 2), np.float32) if matrix is None else matrix
    return Case("scan m.bin", 5, says, {"m.bin": fasttext_model([word, b"the"], matrix, **{"buckets": 3, **changed})})


MODELS: dict[str, Case] = {
    "no such path": Case("scan ./nowhere", 3, "There is no model at './nowhere'"),
    "no name": Case("scan ''", 2, "The name of the model is empty"),
    "a name too long for a file": Case(f"scan ./{'x' * 5000}", 3, "There is no model at"),
    "a home that nobody has": Case("scan ~nobody-here/m", 3, "There is no model"),
    "a hub id offline": Case("scan team/none --offline", 3, "the network is switched off"),
    "a revision of what is here": Case("scan ./nowhere --revision v1", 3, "There is no model"),
    "an unknown suffix": Case("scan m.exe", 2, "is a .exe file, which cannot be scanned", {"m.exe": b"MZ"}),
    "a model that is a pipe": Case("scan m.gguf", 5, "is a pipe, and not a file", make=pipe("m.gguf")),
    "a model that is a device": Case("scan /dev/zero", 5, "is a device, and not a file"),
    "a model that is a link to itself": Case("scan ./m.gguf", 3, "There is no model", make=circle("m.gguf")),
    "weights that are a pipe": Case(SCAN, 3, "holds no weights", make=pipe("tiny/model.safetensors")),
    "word vectors that are a pipe": Case("scan v.txt.gz", 5, "is a pipe, and not a file", make=pipe("v.txt.gz")),
    "a configuration that is a pipe": Case(SCAN, 5, "config.json is a pipe", make=pipe("tiny/config.json")),
    "a shard that is a pipe": Case(
        SCAN,
        3,
        "lacks 1 of the 1 files",
        index({"weight_map": {EMBEDDING: "a.safetensors"}}),
        lambda folder: (pipe("tiny/a.safetensors")(folder), (folder / "tiny" / "model.safetensors").unlink()),
    ),
    "a folder of nothing": Case("scan m", 3, "holds no weights", {"m/readme.md": b""}),
    "a folder of two gguf": Case("scan m", 3, "files in it: a.gguf, b.gguf", {"m/a.gguf": b"", "m/b.gguf": b""}),
    "a shard missing": Case(
        SCAN, 3, "lacks 1 of the 2 files its index names", index({"weight_map": {"a": "model.safetensors", "b": "c"}})
    ),
    "a shard with a name too long": Case(SCAN, 5, "is not in its folder", index({"weight_map": {"a": "x" * 256}})),
    "a shard elsewhere": Case(
        SCAN, 5, "which is not in its folder", index({"weight_map": {EMBEDDING: "../../x.safetensors"}})
    ),
    "an index of nothing": Case(SCAN, 5, "has no weight_map", index([]) | index({"weight_map": []})),
    "an index of numbers": Case(SCAN, 5, "has no weight_map", index({"weight_map": {"a": 1}})),
    "an index that is not json": Case(SCAN, 5, "is not JSON", {"tiny/model.safetensors.index.json": b"{"}),
    "a tensor twice": Case(
        SCAN,
        5,
        "is in both",
        make=lambda folder: shutil.copy(
            (folder / "tiny" / "model.safetensors").rename(folder / "tiny" / "a.safetensors"),
            folder / "tiny" / "b.safetensors",
        ),
    ),
    "an lfs pointer": Case(
        "scan w.safetensors", 5, "is not a safetensors file", {"w.safetensors": b"version https://git-lfs.github.com/"}
    ),
    "no bytes": Case("scan w.safetensors", 5, "is not a safetensors file", {"w.safetensors": b""}),
    "a header of 10 GB": Case(
        "scan w.safetensors", 5, "is not a safetensors file", {"w.safetensors": (10 << 30).to_bytes(8, "little")}
    ),
    "a header that is not json": Case(
        "scan m", 5, "not the JSON of a safetensors file", {"m/model.safetensors": raw_safetensors(b"not json")}
    ),
    "a header nested deep": Case(
        "scan m", 5, "not the JSON", {"m/model.safetensors": raw_safetensors(b'{"a":' + b"[" * 50_000)}
    ),
    "a number of 5,000 digits": Case(
        "scan m", 5, "not the JSON", {"m/model.safetensors": raw_safetensors(b'{"a":' + b"9" * 5000 + b"}")}
    ),
    "a tensor beyond the end": Case("scan m", 5, "ends at byte", header(data_offsets=[0, 1 << 40])),
    "a shape that does not fill": Case("scan m", 5, "cannot fill", header(shape=[2, 3])),
    "a shape of fractions": Case("scan m", 5, "cannot be", header(shape=[2.5, 2])),
    "complex numbers": Case("scan m --tokenizer tiny", 5, "stored as C64", header(dtype="C64", shape=[1, 2])),
    "a type nobody knows": Case("scan m --tokenizer tiny", 5, "stored as Q9", header(dtype="Q9")),
    "an empty table": Case(SCAN, 5, "is empty (0×4)", make=model_with(E=ONES[:0])),
    "rows of no width": Case(SCAN, 5, "is empty (127×0)", make=model_with(E=ONES[:, :0])),
    "a vector for a table": Case(SCAN, 3, "looks like a token embedding", make=model_with(E=ONES[0])),
    "a cube for a table": Case(SCAN, 3, "looks like a token embedding", make=model_with(E=ONES[:, None])),
    "no embedding": Case(SCAN, 3, "looks like a token embedding", make=model_with(other=ONES[:3])),
    "integers without scales": Case(SCAN, 5, "is itself quantised (I8", make=model_with(E=ONES.astype(np.int8))),
    "scales of another shape": Case(
        SCAN,
        5,
        "cannot scale",
        make=model_with(E=ONES.astype(np.int8), **{"model.embed_tokens.weight_scale": ONES[:5, :3]}),
    ),
    "scales of three dimensions": Case(
        SCAN,
        5,
        "cannot scale",
        make=model_with(E=ONES.astype(np.int8), **{"model.embed_tokens.weight_scale": ONES[:, :, None]}),
    ),
    "no such tensor": Case(f"{SCAN} --tensor charm", 3, "no matrix named 'charm'"),
    "fewer rows than ids": Case(SCAN, 5, "The tokenizer gives id", make=model_with(E=ONES[:2])),
    "a configuration that is not json": Case(SCAN, 5, "config.json is not JSON", config("{")),
    "a configuration that is a list": Case(SCAN, 5, "config.json holds list", config("[]")),
    "a configuration in latin-1": Case(SCAN, 5, "config.json is not JSON", {"tiny/config.json": b'{"a": "\xfc"}'}),
    "a factor that is no number": Case(SCAN, 5, "embedding_multiplier is nan", config('{"embedding_multiplier": NaN}')),
    "a factor without end": Case(SCAN, 5, "embedding_multiplier is inf", config('{"embedding_multiplier": 1e999}')),
    "a factor of 400 digits": Case(
        SCAN, 5, "embedding_multiplier is 1000", config('{"embedding_multiplier": 1' + "0" * 400 + "}")
    ),
    "packed weights": Case(
        SCAN, 5, "is itself quantised (packed", make=model_with(**{"model.embed_tokens.qweight": ONES.astype(np.int32)})
    ),
    "a pickle that is none": Case("scan m.bin --tokenizer tiny", 5, "cannot be read as a PyTorch", {"m.bin": b"no"}),
    "a picture": Case("scan image.gguf", 5, "is not a GGUF file", {"image.gguf": b"\x89PNG"}),
    "gguf of no bytes": Case("scan m.gguf", 5, "is not a GGUF file", {"m.gguf": b""}),
    "gguf and nothing more": Case("scan m.gguf", 5, "damaged GGUF", {"m.gguf": b"GGUF"}),
    "gguf of a later version": Case("scan m.gguf", 5, "version 9 is not one of", {"m.gguf": gguf_head(9)}),
    "gguf of another byte order": Case("scan m.gguf", 5, "little-endian", {"m.gguf": gguf_head(3 << 24)}),
    "gguf of 2^63 tensors": Case("scan m.gguf", 5, "are claimed", {"m.gguf": gguf_head(tensors=1 << 63)}),
    "gguf with a string of 2^62": Case(
        "scan m.gguf", 5, "a string of", {"m.gguf": gguf_head(values=1, rest=struct.pack("<Q", 1 << 62) + b"x" * 99)}
    ),
    "gguf with 2^60 items": Case(
        "scan m.gguf",
        5,
        "items are claimed",
        {"m.gguf": gguf_head(values=1, rest=text(b"a") + struct.pack("<IIQ", 9, 0, 1 << 60) + b"x" * 99)},
    ),
    "gguf with a list of lists": Case(
        "scan m.gguf",
        5,
        "value type 9 is unknown",
        {"m.gguf": gguf_head(values=1, rest=text(b"a") + struct.pack("<IIQ", 9, 9, 1) + b"x" * 99)},
    ),
    "gguf with a key twice": Case(
        "scan m.gguf",
        5,
        "is there twice",
        {"m.gguf": gguf_head(values=2, rest=2 * (text(b"a") + struct.pack("<II", 4, 1)))},
    ),
    "gguf in latin-1": Case(
        "scan m.gguf", 5, "damaged GGUF", {"m.gguf": gguf_head(values=1, rest=text(b"\xfc") + struct.pack("<II", 4, 1))}
    ),
    "gguf aligned to nothing": Case(
        "scan m.gguf",
        5,
        "general.alignment is 0",
        {"m.gguf": gguf_head(values=1, rest=text(b"general.alignment") + struct.pack("<II", 4, 0))},
    ),
    "gguf with a tensor of no rows": Case(
        "scan m.gguf",
        5,
        "and no element",
        {"m.gguf": gguf_head(tensors=1, rest=text(b"token_embd.weight") + struct.pack("<IQQIQ", 2, 1 << 62, 0, 0, 0))},
    ),
    "gguf of nine dimensions": Case(
        "scan m.gguf",
        5,
        "claims 9 dimensions",
        {"m.gguf": gguf_head(tensors=1, rest=text(b"token_embd.weight") + struct.pack("<I", 9) + b"\0" * 99)},
    ),
    "gguf with a tensor beyond the end": Case(
        "scan m.gguf",
        5,
        "lies at",
        {"m.gguf": gguf_head(tensors=1, rest=text(b"token_embd.weight") + struct.pack("<IQQIQ", 2, 32, 1 << 40, 0, 0))},
    ),
    "gguf without a tokenizer": Case("scan m.gguf", 5, "holds no tokenizer", make=whole_gguf),
    "gguf whose tokens are numbers": Case(
        "scan m.gguf", 5, "cannot be built", make=lambda folder: whole_gguf(folder, tokens=[1, 2, 3, 4])
    ),
    "gguf without merges": Case(
        "scan m.gguf", 5, "cannot be built", make=lambda folder: whole_gguf(folder, tokens=["a", "b"])
    ),
    "gguf with merges of nothing": Case(
        "scan m.gguf",
        5,
        "cannot be built",
        make=lambda folder: whole_gguf(folder, tokens=["a", "b"], tokenizer__ggml__merges=["x"]),
    ),
    "gguf part one of three": Case(
        "scan m-00001-of-00003.gguf", 3, "lacks 2 of the 3", {"m-00001-of-00003.gguf": b"G"}
    ),
    "an array of objects": Case(
        "scan m.npy --tokenizer good.txt",
        5,
        "is not a numpy array",
        make=lambda folder: np.save(folder / "m.npy", np.array([[object]], dtype=object), allow_pickle=True),
    ),
    "several arrays": Case(
        "scan m.npy --tokenizer good.txt",
        5,
        "is not a numpy array",
        make=lambda folder: np.savez(folder / "m.npz", ONES) or (folder / "m.npz").rename(folder / "m.npy"),  # type: ignore[func-returns-value]
    ),
    "an array that claims more": Case(
        "scan m.npy --tokenizer good.txt",
        5,
        "is not a numpy array",
        {
            "m.npy": b"\x93NUMPY\x01\x00v\x00"
            + b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999), }".ljust(117)
            + b"\n"
        },
    ),
    "an array of integers": Case(
        "scan m.npy --tokenizer good.txt",
        5,
        "not a matrix of floats",
        make=lambda folder: np.save(folder / "m.npy", np.ones((3, 3), int)),
    ),
    "an array without words": Case(
        "scan m.npy", 2, "holds vectors and no words", make=lambda folder: np.save(folder / "m.npy", ONES)
    ),
    "vectors of two widths": Case("scan v.txt", 5, "line 2, is not a word", {"v.txt": b"a 1 2\nb 1 x\n"}),
    "vectors of no words": Case("scan v.txt", 5, "holds 0 word vectors", {"v.txt": b""}),
    "fewer vectors than claimed": Case("scan v.txt", 5, "its first line says 3", {"v.txt": b"3 2\na 1 2\n"}),
    "vectors of a width without end": Case("scan v.txt", 5, "is not a word and", {"v.txt": b"3 99999999999\na 1 2\n"}),
    "a width that is a power": Case("scan v.txt", 5, "line 1, is not a word", {"v.txt": "3 \u00b2\na 1 2\n".encode()}),
    "fastText's with words without end": fasttext("to hold 99,999,999 words", words=99_999_999, entries=99_999_999),
    "fastText's with fewer entries than words": fasttext("2 words and 0 labels, 1 in all", entries=1),
    "fastText's with words less than none": fasttext("-2 words", words=-2),
    "fastText's of a later version": fasttext("version 99", version=99),
    "fastText's with pieces and no row for them": fasttext("0 of them for pieces", buckets=0),
    "fastText's with more buckets than rows": fasttext("2,000,000 of them for pieces", buckets=2_000_000),
    "fastText's with buckets less than none": fasttext("-3 of them for pieces", buckets=-3),
    "fastText's with pieces longer than any word": fasttext("pieces of up to 2,147,483,647 letters", longest=2**31 - 1),
    "fastText's of two widths": fasttext("rows of 2 numbers", dimension=3),
    "fastText's with rows without end": Case(
        "scan m.bin",
        5,
        "rows of 2 numbers",
        {
            "m.bin": fasttext_model([b"a"], np.ones((4, 2), np.float32)).replace(
                struct.pack("<2q", 4, 2), struct.pack("<2q", 1 << 60, 2)
            )
        },
    ),
    "fastText's of no width": fasttext("rows of 0 numbers", np.ones((5, 0), np.float32)),
    "fastText's with a word without end": fasttext("its word 0 does not end", word=b"x" * 2000),
    "fastText's with a table of pieces longer than it": fasttext("it says to hold", kept=1 << 62),
    "fastText's whose pieces were left out": fasttext("rows of 2 numbers", kept=0),
    "fastText's of labels alone": fasttext("0 words and 2 labels", words=0, labels=2),
    "fastText's with a word among its labels": fasttext("mixed at 1", words=1, labels=1),
    "vectors in a broken gzip": Case("scan v.txt.gz", 5, "not a text file of word", {"v.txt.gz": b"\x1f\x8b\x08junk"}),
}
