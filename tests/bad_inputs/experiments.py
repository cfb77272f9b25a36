"""Experiments that cannot be begun: training data, test sets, choices, and folders that hold something else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_inputs.case import Case, changed_json, circle, pipe

__all__ = ["EXPERIMENTS"]

EVAL = "--eval addsub --data sets"
FINETUNE = f"finetune tiny --train sums.jsonl {EVAL}"


def trained_on(name: str, content: bytes, code: int, says: str, more: str = "") -> Case:
    """Bad training data; code 5 where they can be read."""
    return Case(f"finetune tiny --train {name} {EVAL}{more}", code, says, {name: content})


def lines(*records: object) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


def asked(content: bytes, says: str) -> Case:
    """A bad test set."""
    return Case(FINETUNE, 5, says, {"sets/AddSub/test.json": content})


def chosen(options: str, says: str, code: int = 2) -> Case:
    return Case(f"{FINETUNE} {options}", code, says)


def begun(file: bytes, says: str, code: int, options: str = "") -> Case:
    """An output folder with an experiment's set-up in it."""
    return Case(f"{FINETUNE} --out out{options}", code, says, {"out/setup.json": file})


def linked(name: str) -> Case:
    """An output folder in which a link leads to the training data's folder, or to nothing."""

    def make(folder: Path) -> None:
        (folder / "out" / name).parent.mkdir(parents=True)
        (folder / "out" / name).symlink_to(folder / "sets")

    return Case(f"{FINETUNE} --out out --resume", 5, "is a link to", make=make)


def edited(says: str, *path: str | int, value: object = None) -> Case:
    """The good experiment's result with one value changed."""

    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return Case("report finetune.json --out out", 5, says, make=changed_json("finetune.json", change))


def without(field: str) -> Callable[[Path], object]:
    return changed_json("finetune.json", lambda data: data.pop(field))


SUM = {"question": "What is 1 and 1?", "answer": "#### 2"}
LEAK = {"instruction": "From a shelf of 20 jars 1 were sold. What number is left?", "output": "#### 19"}

EXPERIMENTS: dict[str, Case] = {
    "training data that are not there": Case(f"finetune tiny --train nowhere.jsonl {EVAL}", 3, "nowhere.jsonl"),
    "training data of an unknown name": Case(f"finetune tiny --train gms8k {EVAL}", 3, "no training data 'gms8k'"),
    "training data of no name": Case(f"finetune tiny --train '' {EVAL}", 2, "The name of the training data is empty"),
    "training data's name too long": Case(f"finetune tiny --train {'x' * 5000} {EVAL}", 3, "no training data"),
    "training data of another kind": trained_on("a.docx", b"PK", 2, "is a .docx file, which cannot be read"),
    "training data of plain text": trained_on("a.txt", b"one and one", 5, "not an object with columns"),
    "training data offline": Case(f"finetune tiny --train gsm8k {EVAL} --offline", 3, "the network is switched off"),
    "training data in a folder without a file": Case(f"finetune tiny --train f {EVAL}", 3, "f", {"f/a.pdf": b"%PDF"}),
    "training data of no bytes": trained_on("a.json", b"", 5, "is not JSON"),
    "training data cut short": trained_on("a.json", b'[{"question": "What', 5, "is not JSON"),
    "training data of nothing": trained_on("a.json", b"[]", 5, "holds no example to train on: it has no record"),
    "training data in latin-1": trained_on("a.jsonl", b'{"question": "\xfc"}', 5, "a.jsonl"),
    "training data of lists": trained_on("a.jsonl", b"[]\n", 5, "holds list, not an object"),
    "training data of texts": trained_on("a.json", b'["one", "two"]', 5, "not an object with columns"),
    "training data of no known form": trained_on(
        "a.jsonl", lines({"problem": "1 + 1", "solution": "2"}), 5, "has the columns problem, solution"
    ),
    "training data without the column": trained_on("a.jsonl", lines(SUM), 5, "no column 'x'", " --field x,answer"),
    "one column": trained_on("a.jsonl", lines(SUM), 2, "'question' are not two", " --field question"),
    "three columns": trained_on("a.jsonl", lines(SUM), 2, "'a,b,c' are not two", " --field a,b,c"),
    "columns of no name": trained_on("a.jsonl", lines(SUM), 2, "',' are not two", " --field ,"),
    "a question that is a list": trained_on("a.jsonl", lines({**SUM, "question": []}), 5, "holds list, not text"),
    "an answer that is true": trained_on("a.jsonl", lines({**SUM, "answer": True}), 5, "holds bool, not text"),
    "answers of nothing": trained_on("a.jsonl", lines({**SUM, "answer": " "}), 5, "none of its 1 record has both"),
    "a later record without its column": trained_on("a.jsonl", lines(SUM, {"question": "?"}), 5, "record 2 has no col"),
    "messages that are a text": trained_on("a.jsonl", lines({"messages": "hi"}), 5, "messages is no list of objects"),
    "messages of texts": trained_on("a.jsonl", lines({"messages": ["hi"]}), 5, "messages is no list of objects"),
    "a message without a role": trained_on("a.jsonl", lines({"messages": [{"content": "x"}]}), 5, "has the keys cont"),
    "messages without a reply": trained_on(
        "a.jsonl", lines({"messages": [{"role": "user", "content": "x"}]}), 5, "holds no example to train on"
    ),
    "training data that are a model": Case(f"finetune tiny --train tiny/model.safetensors {EVAL}", 2, "cannot be read"),
    "test questions learned": trained_on("a.json", lines([LEAK] * 9), 5, "addsub 1 of 8 (1 word for word)"),
    "every test question learned": Case(
        f"finetune tiny --train a.json {EVAL} --drop-leak",
        5,
        "Every question of addsub is among the training data",
        make=lambda folder: (folder / "a.json").write_text(
            json.dumps(
                [{**each, "output": "19"} for each in json.loads((folder / "sets/AddSub/test.json").read_text())]
            )
        ),
    ),
    "leaks dropped and allowed": chosen("--drop-leak --allow-leak", "Both --allow-leak and --drop-leak"),
    "an unknown test set": Case("finetune tiny --train sums.jsonl --eval addsum --data sets", 3, "test set 'addsum'"),
    "no test set": Case("finetune tiny --train sums.jsonl --eval , --data sets", 2, "Give at least one, by --eval"),
    "a plan as JSON": Case("finetune tiny --train sums.jsonl --dry-run --json", 2, "Both --dry-run and --json"),
    "losses to nobody": Case(
        "finetune tiny --train sums.jsonl --report-to none,wandb", 2, "Losses cannot be reported to 'none'"
    ),
    "losses to a module": Case("finetune tiny --train sums.jsonl --report-to foo.bar", 2, "Give some of azure_ml"),
    "a test set twice": Case("finetune tiny --train sums.jsonl --eval addsub,AddSub --data sets", 2, "given twice"),
    "a test set that is not at hand": Case(
        "finetune tiny --train sums.jsonl --eval singleeq --data sets", 3, "singleeq is not at hand"
    ),
    "a test set offline": Case(
        "finetune tiny --train sums.jsonl --eval svamp --data sets --offline", 3, "the network is switched off"
    ),
    "no data folder": Case("finetune tiny --train sums.jsonl --eval addsub --data nowhere", 3, "nowhere"),
    "a test set of nothing": asked(b"[]", "holds no question"),
    "a test set cut short": asked(b'[{"instruction": "What', "is not JSON"),
    "a test set without answers": asked(b'[{"instruction": "What is 1 and 1?"}]', "record 1"),
    "a test set with an answer in words": asked(b'[{"instruction": "1 + 1?", "answer": "two"}]', "record 1"),
    "a test set of texts": asked(b'["one", "two"]', "record 1"),
    "no base model": Case(f"finetune --train sums.jsonl {EVAL}", 2, "No model was given"),
    "a base model that is not there": Case(f"finetune nowhere/x --train sums.jsonl {EVAL} --offline", 3, "nowhere/x"),
    "a base model's name too long": Case(f"finetune {'x/' * 2500}x --train sums.jsonl {EVAL}", 3, "no model at"),
    "a base model that is no language model": Case(FINETUNE, 5, "cannot be loaded to train it"),
    "a scan that is not there": Case(f"finetune --from-scan nowhere.json --train sums.jsonl {EVAL}", 3, "no report at"),
    "a scan that is none": Case(
        f"finetune --from-scan a.json --train sums.jsonl {EVAL}", 5, "no geoprobe report", {"a.json": b"[]"}
    ),
    "a scan that is an experiment": Case(
        f"finetune --from-scan finetune.json --train sums.jsonl {EVAL}", 5, "of the kind 'finetune'"
    ),
    "an unknown budget": chosen("--budget huge", "no budget 'huge'"),
    "an unknown method": chosen("--methods lora,rslora", "no method 'rslora'"),
    "no method": chosen("--methods ,", "No methods were given"),
    "a method twice": chosen("--methods lora,lora", "given twice in methods: lora, lora"),
    "no seeds": chosen("--seeds 0", "--seeds"),
    "seeds by name": chosen("--seeds 1,2", "--seeds"),
    "rates in words": chosen("--rates fast", "The learning rates are 'fast'"),
    "a rate below 0": chosen("--rates 3e-4,-1e-3", "A learning rate is -0.001"),
    "a rate that is none": chosen("--rates nan", "A learning rate is nan"),
    "a rate without end": chosen("--rates 1e999", "A learning rate is inf"),
    "a rate twice": chosen("--rates 1e-3,0.001", "given twice in rates"),
    "no rank": chosen("--rank 0", "rank is 0"),
    "an alpha that is none": chosen("--alpha nan", "alpha is nan"),
    "all dropped out": chosen("--dropout 1", "dropout is 1.0"),
    "a dropout that is none": chosen("--dropout nan", "dropout is nan"),
    "a curvature of 0": chosen("--curvature 0", "curvature is 0.0"),
    "a curvature of 1e30": chosen("--curvature 1e30", "curvature is 1e+30"),
    "no steps": chosen("--steps 0", "steps is 0"),
    "no epochs": chosen("--epochs 0", "epochs is 0"),
    "no batch": chosen("--batch 0", "batch is 0"),
    "a micro-batch that does not divide": chosen("--batch 8 --micro-batch 3", "cannot be cut into micro-batches of 3"),
    "nothing held out": chosen("--validation 0", "validation is 0"),
    "no threads": chosen("--threads 0", "threads is 0"),
    "a precision that is none": chosen("--precision float8", "The precision is 'float8'"),
    "a template that is none": chosen("--template chatml", "no prompt template 'chatml'"),
    "no beams": chosen("--beams 0", "beams is 0"),
    "a loss on what is not there": chosen("--loss prompt", "The loss is on 'prompt'"),
    "a checkpoint that is none": chosen("--checkpoint first", "no checkpoint 'first'"),
    "a best checkpoint without validations": chosen("--checkpoint best --validate-every 0", "without validations"),
    "rules for answers that are none": chosen("--answers mine", "no rules 'mine' to read answers by"),
    "an experiment that an older version began": begun(
        b'{"setup": {"rank": 4, "rates": [3e-4, 1e-3]}, "inputs": {}}',
        "begun by another version of geoprobe",
        2,
        " --resume",
    ),
    "a layer of no name": chosen("--targets ,", "No targets were given"),
    "an engine that is none": chosen("--engine dask", "no engine 'dask'"),
    "a board that nobody knows": chosen("--report-to nowhere_board", "Give some of azure_ml"),
    "a format of experiments that is none": chosen("--format docx", "no report format 'docx'"),
    "an experiment's folder is a file": chosen("--out good.txt", "good.txt", 1),
    "an experiment's folder is below a file": chosen("--out good.txt/a/b", "good.txt", 1),
    "an experiment in the folder": begun(b'{"setup": {"rank": 4}, "inputs": {}}', "holds an experiment already", 2),
    "another experiment to go on with": begun(
        b'{"setup": {"rank": 4}, "inputs": {}}', "set up otherwise", 2, " --resume"
    ),
    "a damaged experiment to go on with": begun(b'{"setup": {"ra', "setup.json cannot be read", 5, " --resume"),
    "an experiment that is a list": begun(b"[]", "setup.json", 5, " --resume"),
    "an experiment whose set-up is a list": begun(b'{"setup": [], "inputs": {}}', "setup.json", 5, " --resume"),
    "an experiment whose inputs are a list": begun(b'{"setup": {}, "inputs": []}', "setup.json", 5, " --resume"),
    "an experiment nested without end": begun(b'{"a":' * 100_000, "setup.json cannot be read", 5, " --resume"),
    "an experiment whose runs are elsewhere": linked("runs"),
    "an experiment whose run is elsewhere": linked("runs/final-lora-seed0-lr0.0003"),
    "an experiment whose set-up is elsewhere": linked("setup.json"),
    "an experiment that is a pipe": Case(
        f"{FINETUNE} --out out --resume", 5, "neither a file nor a folder", make=pipe("out/setup.json")
    ),
    "training data that are a pipe": Case(
        f"finetune tiny --train p.jsonl {EVAL}", 5, "is a pipe", make=pipe("p.jsonl")
    ),
    "training data that are a link to itself": Case(
        f"finetune tiny --train p.jsonl {EVAL}", 3, "p.jsonl", make=circle("p.jsonl")
    ),
    "a test set that is a pipe": Case(FINETUNE, 3, "AddSub", make=pipe("sets/AddSub/test.json")),
    "a base model that is a pipe": Case(f"finetune p.gguf --train sums.jsonl {EVAL}", 5, "a pipe", make=pipe("p.gguf")),
    "a scan that is a pipe": Case(
        f"finetune --from-scan p.json --train sums.jsonl {EVAL}", 5, "is a pipe", make=pipe("p.json")
    ),
    "an experiment of nothing": Case(
        "report bad.json", 5, "missing required field", {"bad.json": b'{"kind": "finetune", "schema_version": 1}'}
    ),
    "an experiment of a later version": Case(
        "report bad.json", 5, "this geoprobe reads 1", {"bad.json": b'{"kind": "finetune", "schema_version": 9}'}
    ),
    "an experiment without runs": Case(
        "report finetune.json --out out", 5, "missing required field `runs`", make=without("runs")
    ),
    "a loss in words": edited("at `$.runs[0].train_losses", "runs", 0, "train_losses", value="low"),
    "an accuracy of another kind": edited("$.comparisons", "comparisons", value="none"),
    "seeds in words": edited("$.seed", "seed", value="zero"),
    "an experiment's model without rows": edited("$.model", "model", value=[]),
    "an experiment compared with a scan": Case("compare finetune.json scan.json", 5, "of the kind 'finetune'"),
}
