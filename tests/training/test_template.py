import pytest

from geoprobe.errors import UsageError
from geoprobe.training.template import TEMPLATES, prompt


def test_the_template_has_alpacas_words() -> None:
    assert prompt("Add 1 and 2.") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nAdd 1 and 2.\n\n### Response:\n"
    )
    assert prompt("Add.", "1 and 2") == (
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nAdd.\n\n### Input:\n1 and 2\n\n### Response:\n"
    )


def test_the_plain_template_adds_nothing() -> None:
    assert prompt("Add.", "1 and 2", "plain") == "Add.\n\n1 and 2\n\n"


def test_an_unknown_template_is_refused_by_naming_those_there_are() -> None:
    with pytest.raises(UsageError, match=f"'chatml'.*\n.*{', '.join(TEMPLATES)}"):
        prompt("Add.", template="chatml")
