"""One model in every format, and one text in every kind of tokenizer: what a scan takes from each, column by column."""

import base64
import io
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from builders import fasttext_model, write_safetensors
from hub_server import Hub, pointed

from geoprobe.data import ArrayRows, EmbeddingTable, ModelSource
from geoprobe.diagnostics.norms.undertrained import known_unused
from geoprobe.sources.models.loading import open_model
from geoprobe.sources.models.tokenizer import load_tokenizer

from .hard_texts import HARD_TEXTS

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
CONTROL = ("<|endoftext|>", "<|reserved_1|>")
PADDING, D = 2, 64


@cache
def backend() -> Any:
    """GPT-2's kind of tokenizer, trained on the hard texts by `tokenizers` itself."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=list(CONTROL), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(list(HARD_TEXTS) * 20, trainer)
    return made


@cache
def vocabulary() -> tuple[str, ...]:
    rows = backend().get_vocab()
    return tuple(sorted(rows, key=rows.__getitem__))


def merges() -> list[str]:
    return [" ".join(pair) for pair in json.loads(backend().to_str())["model"]["merges"]]


@cache
def matrix() -> np.ndarray:
    """Values that every format holds exactly, but for GGUF's 8 bits, whose largest of 32 columns is 127 steps."""
    size = len(vocabulary()) + PADDING
    numbers = np.random.default_rng(0).integers(-8, 8, (size, D)).astype(np.float32)
    numbers[:, ::32] = 8  # the largest of each group
    return numbers / 8


def config(folder: Path, *, tied: bool, **more: object) -> None:
    backend().save(str(folder / "tokenizer.json"))
    stated = {"model_type": "gemma", "architectures": ["GemmaForCausalLM"], "tie_word_embeddings": tied}
    (folder / "config.json").write_text(json.dumps(stated | more))


def tensors(*, tied: bool) -> dict[str, np.ndarray]:
    return {EMBEDDING: matrix()} | ({} if tied else {HEAD: matrix()[::-1].copy()})


def one_file(folder: Path, *, tied: bool) -> Path:
    config(folder, tied=tied)
    write_safetensors(folder / "model.safetensors", tensors(tied=tied))
    return folder


def shards(folder: Path, *, tied: bool) -> Path:
    config(folder, tied=tied)
    files = {name: f"model-{number}.safetensors" for number, name in enumerate(tensors(tied=tied))}
    for name, array in tensors(tied=tied).items():
        write_safetensors(folder / files[name], {name: array})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    return folder


def low_precision(kind: str) -> Callable[..., Path]:
    def write(folder: Path, *, tied: bool) -> Path:
        torch = pytest.importorskip("torch")
        from safetensors.torch import save_file

        config(folder, tied=tied)
        cast = {name: torch.from_numpy(array).to(getattr(torch, kind)) for name, array in tensors(tied=tied).items()}
        save_file(cast, folder / "model.safetensors")
        return folder

    return write


def pytorch(folder: Path, *, tied: bool) -> Path:
    torch = pytest.importorskip("torch")
    config(folder, tied=tied)
    whole = {name: torch.from_numpy(array) for name, array in tensors(tied=tied).items()}
    torch.save(whole, folder / "pytorch_model.bin")
    return folder


def mlx(folder: Path, *, tied: bool) -> Path:
    """Numbers of 8 bits, four in 32: here the value is number / 8 - 16."""
    config(folder, tied=tied, quantization={"group_size": 32, "bits": 8})
    stored = {}
    for name, array in tensors(tied=tied).items():
        numbers = (array * 8 + 128).astype(np.uint8)
        base, groups = name.removesuffix("weight"), (len(array), D // 32)
        stored |= {name: numbers.view("<u4"), f"{base}scales": np.full(groups, 1 / 8, np.float32)}
        stored[f"{base}biases"] = np.full(groups, -16, np.float32)
    write_safetensors(folder / "model.safetensors", stored)
    return folder


def write_gguf(path: Path, *, tied: bool, part: int = 0, parts: int = 1, quantised: bool = False) -> Path:
    writer = gguf.GGUFWriter(str(path), "gemma")
    if parts > 1:
        writer.add_uint16("split.no", part)
        writer.add_uint16("split.count", parts)
    if part == 0:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        padding = [f"[PAD{len(vocabulary()) + number}]" for number in range(PADDING)]
        writer.add_token_list([*vocabulary(), *padding])
        writer.add_token_types([3] * len(CONTROL) + [1] * (len(vocabulary()) - len(CONTROL)) + [5] * PADDING)
        writer.add_token_merges(merges())
    named = {"token_embd.weight": matrix()} | ({} if tied else {"output.weight": matrix()[::-1].copy()})
    for number, (name, array) in enumerate(named.items()):
        if number % parts != part:
            continue
        kind = gguf.GGMLQuantizationType.Q8_0
        if quantised:
            writer.add_tensor(name, gguf.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def gguf_file(folder: Path, *, tied: bool) -> Path:
    return write_gguf(folder / "m.gguf", tied=tied, quantised=True)


def gguf_parts(folder: Path, *, tied: bool) -> Path:
    """The output matrix in the second part, which is all that says that nothing is tied."""
    for part in range(2):
        if part and tied:
            config(folder, tied=True)
        write_gguf(folder / f"m-0000{part + 1}-of-00002.gguf", tied=tied, part=part, parts=2)
    return folder


def blob(folder: Path, *, tied: bool) -> Path:
    return gguf_file(folder, tied=tied).rename(folder / "sha256-0123")


FORMATS = {
    "safetensors": one_file,
    "safetensors in shards": shards,
    "BF16": low_precision("bfloat16"),
    "F16": low_precision("float16"),
    "F8": low_precision("float8_e4m3fn"),
    "PyTorch": pytorch,
    "MLX": mlx,
    "GGUF": gguf_file,
    "GGUF in parts": gguf_parts,
    "a blob of Ollama's": blob,
}
ON_HUB = ("safetensors", "safetensors in shards", "BF16", "F16", "F8", "MLX", "GGUF", "GGUF in parts")


def table_of(tokens: tuple[str, ...]) -> EmbeddingTable:
    """A table of no vectors to speak of, for what tokens say by their text."""
    source = ModelSource("m", "m", "llama", "m", "t", "F32", "0" * 64, None, ())
    rows = ArrayRows(np.zeros((len(tokens), 1), np.float32))
    return EmbeddingTable(rows, tokens, np.zeros(len(tokens), np.bool_), source, True, 1.0)


def check_columns(given: str | Path, *, tied: bool, atol: float = 0) -> None:
    """Right table, tokens of the hard texts, ties, scale, special and unused rows."""
    opened = open_model(given)
    table = opened.table(output=True)
    np.testing.assert_allclose(table.vectors.read(0, table.size), matrix(), atol=atol)
    assert (table.tied, table.output is None) == (tied, tied)
    assert table.lookup_scale == 8.0  # Gemma's, the square root of 64 columns
    expected = [encoding.ids for encoding in backend().encode_batch(list(HARD_TEXTS), add_special_tokens=False)]
    assert [list(ids) for ids in opened.tokenizer.encode(HARD_TEXTS)] == expected
    assert np.flatnonzero(table.special).tolist() == list(range(len(CONTROL)))
    padding = range(len(vocabulary()), table.size)
    never = {row for row, token in enumerate(vocabulary()) if table.tokens[row] in {"\\xc0", "\\xc1"}}
    unused = set(known_unused(table, []))
    assert unused >= {CONTROL.index("<|reserved_1|>"), *padding} | never
    assert all(row >= 256 + len(CONTROL) or row in {1} or table.tokens[row].startswith("\\x") for row in unused)
    assert [table.tokens[row] for row in padding] == [""] * PADDING


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_the_table_tokens_ties_scale_and_special_and_unused_rows(
    name: str, tied: bool, tmp_path: Path
) -> None:
    check_columns(FORMATS[name](tmp_path, tied=tied), tied=tied, atol=4e-3 if "GGUF" in name or "blob" in name else 0)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ON_HUB)
def test_a_format_gives_the_same_columns_from_the_hub(
    name: str, tied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m").mkdir()
    FORMATS[name](tmp_path / "m", tied=tied)
    files = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    with pointed(Hub(files), tmp_path, monkeypatch):
        check_columns("team/model", tied=tied, atol=4e-3 if "GGUF" in name else 0)


WORDS = tuple(dict.fromkeys(word.lower() for text in HARD_TEXTS for word in text.split() if word.isalpha()))
VECTORS = np.random.default_rng(1).standard_normal((len(WORDS), 6)).astype(np.float32)


def as_text(folder: Path, head: str = "", name: str = "v.txt") -> Path:
    rows = zip(WORDS, VECTORS.tolist(), strict=True)
    (folder / name).write_text(head + "".join(f"{word} {' '.join(map(repr, row))}\n" for word, row in rows))
    return folder / name


def with_counts(folder: Path) -> Path:
    return as_text(folder, f"{len(WORDS)} 6\n", "v.vec")


def binary(folder: Path) -> Path:
    rows = (word.encode() + b" " + row.tobytes() for word, row in zip(WORDS, VECTORS, strict=True))
    (folder / "v.bin").write_bytes(f"{len(WORDS)} 6\n".encode() + b"".join(rows))
    return folder / "v.bin"


def fasttext(folder: Path) -> Path:
    (folder / "m.bin").write_bytes(fasttext_model([word.encode() for word in WORDS], VECTORS, longest=0))
    return folder / "m.bin"


def array(folder: Path) -> Path:
    (folder / "words.json").write_text(json.dumps(WORDS))
    np.save(folder / "m.npy", VECTORS)
    return folder / "m.npy"


def shared(folder: Path) -> Path:
    """Model2Vec's: a row for two words, each with its weight."""
    stored = {"embeddings": VECTORS[:1], "mapping": np.zeros(len(WORDS), np.int64), "weights": VECTORS[:, 0].copy()}
    write_safetensors(folder / "model.safetensors", stored)
    (folder / "words.json").write_text(json.dumps(WORDS))
    return folder


@pytest.mark.parametrize("write", [as_text, with_counts, binary, fasttext, array, shared])
def test_a_table_of_words_has_no_ties_scale_special_or_unused_rows(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    given = write(tmp_path)
    words = tmp_path / "words.json"
    opened = open_model(given, tokenizer=words if words.is_file() else None)
    table = opened.table()
    expected = VECTORS if write is not shared else np.outer(VECTORS[:, 0], VECTORS[0])
    np.testing.assert_allclose(table.vectors.read(0, table.size), expected, rtol=1e-6)
    assert (table.tokens, table.tied, table.output, table.lookup_scale) == (WORDS, None, None, 1.0)
    assert not table.special.any()
    assert not len(known_unused(table, []))
    for text, ids in zip(HARD_TEXTS, opened.tokenizer.encode(HARD_TEXTS), strict=True):
        if all(word.isalpha() for word in text.split()):
            assert [WORDS[row] for row in ids] == text.lower().split()


@dataclass(frozen=True)
class Expected:
    """Ids of the hard texts, and rows that are special and that no text has trained."""

    ids: list[list[int]]
    special: set[int]
    unused: set[int]


#: Bytes that are in no UTF-8.
NEVER = {0xC0, 0xC1, *range(0xF5, 0x100)}
SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def byte_rows() -> dict[bytes, int]:
    """The trained tokens as bytes, in the order of their rows: GPT-2's letters for bytes written apart."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(others)}
    return {bytes(map(letters.__getitem__, token)): row for row, token in enumerate(vocabulary()[len(CONTROL) :])}


def by_training(files: Callable[[Path], object]) -> Callable[[Path], tuple[Path, Expected]]:
    def make(folder: Path) -> tuple[Path, Expected]:
        files(folder)
        ids = [encoding.ids for encoding in backend().encode_batch(list(HARD_TEXTS), add_special_tokens=False)]
        never = {len(CONTROL) + row for token, row in byte_rows().items() if len(token) == 1 and token[0] in NEVER}
        return folder, Expected(ids, {0, 1}, never | {1})

    return make


def gpt2_files(folder: Path) -> None:
    backend().model.save(str(folder))
    settings = {"tokenizer_class": "GPT2Tokenizer", "additional_special_tokens": [CONTROL[1]]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def tekken(folder: Path) -> tuple[Path, Expected]:
    """Ranks of bytes; expected is the lowest rank merged first, a pair at a time."""
    import regex

    ranks = byte_rows()
    config = {"pattern": SPLIT, "default_vocab_size": len(ranks) + 3, "default_num_special_tokens": 3}
    entries = [{"rank": rank, "token_bytes": base64.b64encode(token).decode()} for token, rank in ranks.items()]
    named = [{"rank": row, "token_str": text} for row, text in enumerate(("<s>", "[unused1]"))]
    (folder / "tekken.json").write_text(json.dumps({"config": config, "vocab": entries, "special_tokens": named}))

    def cut(piece: bytes) -> list[int]:
        parts = [piece] if piece in ranks else [bytes([byte]) for byte in piece]
        while True:
            pairs = [(ranks[a + b], at) for at, (a, b) in enumerate(itertools.pairwise(parts)) if a + b in ranks]
            if not pairs:
                return [3 + ranks[part] for part in parts]
            at = min(pairs)[1]
            parts[at : at + 2] = [parts[at] + parts[at + 1]]

    ids = [[row for piece in regex.findall(SPLIT, text) for row in cut(piece.encode())] for text in HARD_TEXTS]
    never = {3 + rank for token, rank in ranks.items() if len(token) == 1 and token[0] in NEVER}
    return folder / "tekken.json", Expected(ids, {0, 1, 2}, never | {1})


def sentencepiece(kind: str) -> Callable[[Path], tuple[Path, Expected]]:
    """Trained by SentencePiece, which says what is expected; a sentinel of T5's is trained, and no row unused."""

    def make(folder: Path) -> tuple[Path, Expected]:
        library = pytest.importorskip("sentencepiece")
        content = io.BytesIO()
        library.SentencePieceTrainer.train(
            sentence_iterator=iter(HARD_TEXTS * 20),
            model_writer=content,
            vocab_size=900 if kind == "bpe" else 500,
            hard_vocab_limit=False,
            model_type=kind,
            byte_fallback=True,
            normalization_rule_name="identity",
            user_defined_symbols=["<extra_id_0>", "<unused0>"],
            minloglevel=2,
        )
        (folder / "tokenizer.model").write_bytes(content.getvalue())
        theirs = library.SentencePieceProcessor(model_proto=content.getvalue())
        rows = {theirs.id_to_piece(row): row for row in range(theirs.get_piece_size())}
        unused = {rows[f"<0x{byte:02X}>"] for byte in NEVER} | {rows["<unused0>"]}
        return folder / "tokenizer.model", Expected(theirs.encode(list(HARD_TEXTS)), {0, 1, 2}, unused)

    return make


def in_gguf(folder: Path) -> tuple[Path, Expected]:
    path, expected = by_training(lambda _: None)(folder)
    return write_gguf(path / "m.gguf", tied=True), expected


TOKENIZERS = {
    "tokenizer.json": by_training(lambda folder: backend().save(str(folder / "tokenizer.json"))),
    "vocab.json and merges.txt": by_training(gpt2_files),
    "tekken.json": tekken,
    "SentencePiece by score": sentencepiece("bpe"),
    "SentencePiece by probability": sentencepiece("unigram"),
    "GGUF": in_gguf,
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_gives_the_tokens_of_hard_texts_and_its_special_and_unused_rows(name: str, tmp_path: Path) -> None:
    place, expected = TOKENIZERS[name](tmp_path)
    tokenizer = open_model(place).tokenizer if place.suffix == ".gguf" else load_tokenizer(place)
    size = tokenizer.size if name != "GGUF" else len(vocabulary())
    differing = [
        text
        for text, ours, theirs in zip(HARD_TEXTS, tokenizer.encode(HARD_TEXTS), expected.ids, strict=True)
        if list(ours) != theirs
    ]
    assert differing == []
    assert set(np.flatnonzero(tokenizer.special(size)).tolist()) == expected.special
    table = table_of(tokenizer.texts(size))
    assert set(known_unused(table, []).tolist()) == expected.unused
