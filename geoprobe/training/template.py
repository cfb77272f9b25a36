"""What a model is shown: the prompt around an instruction."""

from __future__ import annotations

from geoprobe.errors import UsageError

__all__ = ["TEMPLATES", "prompt"]

#: Names of the templates; the first is that of LLM-Adapters and of the paper.
TEMPLATES = ("alpaca", "plain")

_TASK = "Below is an instruction that describes a task"
_ALONE = f"{_TASK}. Write a response that appropriately completes the request."
_WITH_INPUT = f"{_TASK}, paired with an input that provides further context. " + _ALONE.partition(". ")[2]


def prompt(instruction: str, context: str = "", template: str = "alpaca") -> str:
    """The prompt of an instruction, up to where the response starts.

    Parameters
    ----------
    instruction : str
        What is asked.
    context : str
        Further input, often empty.
    template : {"alpaca", "plain"}
        ``alpaca``: the words that LLM-Adapters and the paper train and test with, which are Alpaca's; the sixteen
        spaces before each line in LLM-Adapters' source are left out. ``plain``: the instruction and an empty line.

    Raises
    ------
    UsageError
        When there is no such template.
    """
    if template == "plain":
        return "\n\n".join(part for part in (instruction, context) if part) + "\n\n"
    if template != "alpaca":
        raise UsageError(f"There is no prompt template {template!r}.", f"Give one of {', '.join(TEMPLATES)}.")
    if context:
        return f"{_WITH_INPUT}\n\n### Instruction:\n{instruction}\n\n### Input:\n{context}\n\n### Response:\n"
    return f"{_ALONE}\n\n### Instruction:\n{instruction}\n\n### Response:\n"
