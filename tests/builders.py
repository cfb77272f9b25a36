"""What tests build: tokenizers, models and scan inputs made in memory, and a report of hostile text."""

import json
import os
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoprobe.data import ArrayRows, EmbeddingTable, ModelSource, ScanInputs, TokenCounts
from geoprobe.diagnostics.base import BUILTIN, analyzer_type
from geoprobe.figure import Axis
from geoprobe.report.scan import CorpusFacts, ModelFacts, Report
from geoprobe.scatter import VocabularyScatter, pack_scatter
from geoprobe.sources.corpora import Corpus
from geoprobe.sources.counting import count_tokens
from geoprobe.sources.models.tokenizer import Tokenizer

#: Where a process of its own finds what these tests import.
PATHS = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
#: What such a process begins with, so that `peak` is the most anonymous memory that it has held, in kB.
WATCH_MEMORY = """
import sys, threading, time
from pathlib import Path
peak = 0
def watch():
    global peak
    while True:
        status = Path("/proc/self/status").read_text()
        peak = max(peak, int(status.partition("RssAnon:")[2].split()[0]))
        time.sleep(0.01)
threading.Thread(target=watch, daemon=True).start()
"""
#: Frequent English words, in order of frequency.
WORDS = [
    *[
        "the",
        "of",
        "and",
        "to",
        "in",
        "a",
        "is",
        "that",
        "for",
        "it",
        "was",
        "on",
        "are",
        "as",
        "with",
        "his",
        "they",
        "at",
        "be",
        "this",
        "from",
        "have",
        "or",
        "one",
        "had",
        "by",
    ]
]

#: Each would break a page, a reader or an eye in its own way.
HOSTILE = (
    "<script>document.title='owned'</script>",
    "</style><img src=x onerror=document.title='owned'>",
    "{{7*7}}{%raw%}",
    '#import "/etc/passwd"; $x$ *bold* _under_ @ref <label> \\',
    "\u202egnp.exe",
    "zero\u200bwidth\u200d",
    "nul\x00byte",
    "\ud800lone",
    "x" * 10_000,
    "]]><!--",
    "'\"&amp;",
)


class Hostile:
    """What runs code when it is unpickled: it leaves a file named `owned`."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("__import__('pathlib').Path('owned').write_text('x')",))


def missing(what: str, reason: str) -> None:
    """Skip, or fail where this machine is known to have it."""
    if what in os.environ.get("GEOPROBE_REQUIRE", "").split():
        pytest.fail(f"{reason} (GEOPROBE_REQUIRE names {what})")
    pytest.skip(reason, allow_module_level=True)


def needs_gpu() -> None:
    """Skip where PyTorch has no GPU."""
    import torch

    if not torch.cuda.is_available():
        missing("gpu", "no GPU that PyTorch can use")


def training_losses(model: Any, ids: Any, *, steps: int, rate: float) -> list[float]:
    """Loss of each step of a training on one batch, by what of a model is to be trained."""
    import torch

    optimizer = torch.optim.AdamW((weight for weight in model.parameters() if weight.requires_grad), lr=rate)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def on(base: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """A batch where a loaded model is."""
    return {name: value.to(base.model.device) for name, value in batch.items()}


def word_tokenizer(words: list[str], special: tuple[str, ...] = ("<unk>",)) -> object:
    """A whole-word tokenizer, made in memory: ids in the order given, special tokens first."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {word: row for row, word in enumerate([*special, *words])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token=special[0]))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens(list(special))
    return backend


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A safetensors file by the format's own library."""
    from safetensors.numpy import save_file

    save_file(tensors, str(path))
    return path


def make_model(folder: Path, *, dimension: int = 16, extra: dict[str, np.ndarray] | None = None) -> Path:
    folder.mkdir(parents=True)
    words = WORDS + [f"word{number}" for number in range(100)]
    word_tokenizer(words).save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(
        json.dumps({"model_type": "llama", "vocab_size": len(words) + 1, "tie_word_embeddings": True})
    )
    vectors = np.random.default_rng(0).standard_normal((len(words) + 1, dimension)).astype(np.float32)
    write_safetensors(folder / "model.safetensors", {"model.embed_tokens.weight": vectors, **(extra or {})})
    return folder


def fasttext_model(
    words: Sequence[bytes],
    matrix: np.ndarray,
    /,
    *,
    shortest: int = 3,
    longest: int = 6,
    buckets: int = 0,
    label_words: Sequence[bytes] = (),
    pruned: Sequence[tuple[int, int]] | None = None,
    quantised: bool = False,
    **changed: int,
) -> bytes:
    """A model as fastText writes it; `changed` are values of its beginning."""
    head = {"magic": 793712314, "version": 12, "dimension": matrix.shape[1], "window": 5, "epoch": 1, "least": 1}
    head |= {"negative": 5, "grams": 1, "loss": 1, "kind": 2, "buckets": buckets, "shortest": shortest}
    head |= {"longest": longest, "rate": 100, "sample": 0.0, "entries": len(words) + len(label_words)}
    head |= {"words": len(words), "labels": len(label_words), "seen": 99, "kept": -1 if pruned is None else len(pruned)}
    listed = ((word, kind) for kind, names in enumerate((words, label_words)) for word in names)
    entries = b"".join(word + struct.pack("<bqb", 0, 9, kind) for word, kind in listed)
    table = b"".join(struct.pack("<2i", *pair) for pair in pruned or ())
    output = np.zeros((2, matrix.shape[1]), np.float32)
    matrices = (struct.pack("<?2q", quantised, *each.shape) + each.tobytes() for each in (matrix, output))
    return struct.pack("<14id3i2q", *(head | changed).values()) + entries + table + b"".join(matrices)


def make_corpus(path: Path) -> Path:
    """Sixty short documents whose word frequencies fall as 1/rank."""
    rng = np.random.default_rng(1)
    words = np.array(WORDS + [f"word{number}" for number in range(100)])
    weights = 1 / np.arange(1, len(words) + 1)
    lines = [json.dumps({"text": " ".join(rng.choice(words, size=40, p=weights / weights.sum()))}) for _ in range(60)]
    path.write_text("\n".join(lines))
    return path


def scan_inputs(
    texts: list[str], *, dimension: int = 16, words: list[str] | None = None, vectors: np.ndarray | None = None
) -> ScanInputs:
    """Inputs of a scan over given texts, whole words as tokens; Gaussian embeddings unless given."""
    tokenizer = Tokenizer(word_tokenizer(words or sorted({word for text in texts for word in text.split()})))
    rows = tokenizer.size
    if vectors is None:
        vectors = np.random.default_rng(2).standard_normal((rows, dimension)).astype(np.float32)
    table = EmbeddingTable(
        ArrayRows(vectors),
        tokenizer.texts(rows),
        tokenizer.special(rows),
        ModelSource("tiny", "Tiny", "llama", "tiny.safetensors", "embed", "F32", "0" * 64),
    )
    counts, prompts = count_tokens(tokenizer, Corpus("made-up", (lambda: iter(texts),)), rows=rows, max_prompts=1000)
    return ScanInputs(table, (counts,), (prompts,))


#: Options with which a diagnostic takes a moment, for what is not about its numbers.
FEW: dict[str, dict[str, int]] = {
    "frequency": {"replicates": 19, "bootstrap": 19, "repeats": 1},
    "norms": {"replicates": 19, "bootstrap": 19},
    "hyperbolicity": {"prompts": 9, "replicates": 19, "tested": 2, "tokens": 40, "draws": 79},
}

#: Options with which every table and figure has rows, for what is about how a report looks.
SOME: dict[str, dict[str, int]] = {
    "frequency": {"replicates": 99, "bootstrap": 49},
    "norms": {"replicates": 99, "bootstrap": 49},
    "hyperbolicity": {"replicates": 49, "tested": 8, "tokens": 64, "draws": 79, "other_draws": 3, "fit_draws": 2},
}


def some_analyzers() -> list[Any]:
    """Every built-in diagnostic, with `SOME` options."""
    return [analyzer_type(name)(**options) for name, options in SOME.items()]


def make_report(*, hostile: bool = False, options: Mapping[str, Mapping[str, int]] | None = None) -> Report:
    rng = np.random.default_rng(1)
    words = np.array(WORDS + [f"word{number}" for number in range(370)])
    weights = 1 / np.arange(1, len(words) + 1)
    texts = [" ".join(rng.choice(words, size=60, p=weights / weights.sum())) for _ in range(60)]
    inputs = scan_inputs(texts)
    source, name = inputs.embedding.source, "made-up"
    if hostile:
        name = HOSTILE[0]
        source = ModelSource(*HOSTILE[:5], dtype=HOSTILE[5], sha256=HOSTILE[6], revision=HOSTILE[7], notes=HOSTILE)
        order = np.argsort(-inputs.counts, kind="stable")
        tokens = list(inputs.embedding.tokens)
        for row, token in zip(order, HOSTILE, strict=False):
            tokens[row] = token
        object.__setattr__(inputs.embedding, "tokens", tuple(tokens))
        counts = TokenCounts(name, HOSTILE[1], inputs.corpora[0].counts, 60)
        inputs = ScanInputs(inputs.embedding, (counts,), inputs.prompts)
    results = {
        key: analyzer_type(key)(**(options or {}).get(key, {})).run(inputs, np.random.default_rng(0)) for key in BUILTIN
    }
    counts = inputs.corpora[0]
    return Report(
        model=ModelFacts(source, inputs.embedding.size, 16, 1, 0, None, 1.0),
        corpora=(CorpusFacts(name, counts.sha256, 60, counts.n_tokens, counts.n_types, HOSTILE[2] if hostile else ""),),
        seed=0,
        options={key: {"replicates": 1} for key in results},
        versions={"geoprobe": "0.0"},
        results=results,
    )


def vocabulary_scatter(n: int = 500, tokens: Sequence[str] | None = None) -> VocabularyScatter:
    """Made-up tokens, rarer ones longer: counts fall as 1/rank, and the last tenth was never seen."""
    rng = np.random.default_rng(0)
    counts = np.maximum(n / np.arange(1, n + 1), 0.5)
    seen = np.arange(n) < n - n // 10
    occurrences = np.where(seen, np.maximum(np.rint(counts), 1), 0)
    return pack_scatter(
        "vocabulary",
        title="The whole vocabulary",
        caption="Each token by how often it occurs and by the norm of its row.",
        x=Axis("occurrences", "log"),
        y=Axis("norm"),
        x_values=np.maximum(occurrences, 0.5),
        y_values=3 - 0.2 * np.log(counts) + 0.3 * rng.standard_normal(n),
        groups=np.where(seen, 0, 1),
        group_names=("seen", "not seen"),
        rows=np.arange(n) + 7,
        tokens=tokens or [f"token{i}" for i in range(n)],
        x_exact=occurrences,
    )
