"""Markdown: the report, for an issue or an appendix, without figures' drawings; and the card, for a model's README."""

from __future__ import annotations

import re

from geoprobe.report.view import Section, ShownTable, View

#: Anything that CommonMark or GitHub's dialect could take for markup, a mention, a link or an entity.
_MARKUP = re.compile(r"""[\\`*_{}\[\]()<>#+\-!|~&@:$"'=^]""")
#: Of them, what means something only at the start of a line, beside itself or in a word; left alone in running text.
_HARMLESS = set("()-+:'\"=#!")
#: Where it does: what would begin a heading or a list, and what GitHub makes a link of by itself.
_MEANT = (
    (re.compile(r"#(?=\d)"), r"\\#"),
    (re.compile(r"^([#+=-])"), r"\\\1"),
    (re.compile(r"^(\d+)([.)])"), r"\1\\\2"),
    (re.compile(r"(https?|ftp|mailto|xmpp):", re.IGNORECASE), r"\1\\:"),
    (re.compile(r"(www)\.", re.IGNORECASE), r"\1\\."),
)


def render_markdown(view: View) -> str:
    """Write a report as Markdown: verdicts, tables, figures' captions, methods, provenance."""
    parts = [
        f"# {_text(view.title)}",
        f"*{_text(view.kind)} {_text(view.version)}*",
        *(_pairs(view.facts)),
        *(f"> **Note.** {_text(warning)}" for warning in view.warnings),
        *(f"> {_text(note)}" for note in view.notes),
        *_conclusion(view),
        "## Answers",
        _answers(view),
        *(f"**{_text(s.card.question)}** {_text(s.card.reason)}" for s in view.sections),
        *(part for section in view.sections for part in _section(section)),
        "## Provenance",
        *(_pairs(view.provenance)),
    ]
    return "\n\n".join(parts) + "\n"


def render_card(view: View) -> str:
    """Write some ten lines for a model's README: questions and verdicts, what they say together, how it was made."""
    facts, provenance = dict(view.facts), dict(view.provenance)
    made = [f"Made by geoprobe {view.version}".strip()]
    made += [f"over {facts['Corpora']}"] if "Corpora" in facts else []
    parts = ["## Geometry" if view.kind == "geoprobe scan" else f"## {_text(view.title)}"]
    parts += [_text(" ".join(view.conclusion.sentences))] if view.conclusion else []
    answers = [(s.card.question, s.card.verdict) for s in view.sections if s.card.verdict]
    answers += [(f"{s.card.question} {a.of}", a.verdict) for s in view.sections for a in s.card.answers]
    parts += [_table(("question", "answer"), tuple(answers), (False, False))]
    parts += [_text(" ".join(made)) + "."]
    parts += [f"    {provenance['Command']}"] if "Command" in provenance else []
    return "\n\n".join(parts) + "\n"


def _conclusion(view: View) -> list[str]:
    if view.conclusion is None:
        return []
    parts = ["## In short", *map(_text, view.conclusion.sentences)]
    if view.conclusion.command:
        parts += [f"**Next.** {_text(view.conclusion.purpose)}", f"    {' '.join(view.conclusion.command.split())}"]
    return parts


def _answers(view: View) -> str:
    rows = []
    for section in view.sections:
        card = section.card
        numbers = "; ".join(f"{name}: {line}" for name, line in card.lines)
        if card.verdict:
            rows.append((card.question, card.verdict, numbers))
        rows += [(f"{card.question} {answer.of}", answer.verdict, answer.line) for answer in card.answers]
    return _table(("question", "verdict", "numbers"), tuple(rows), (False, False, False))


def _section(section: Section) -> list[str]:
    parts = [f"## {_text(section.title)}"]
    parts += [f"> **Note.** {_text(warning)}" for warning in section.warnings]
    for shown in section.tables:
        parts += _titled_table(shown)
    parts += [f"*{_text(figure.title)}.* {_text(figure.caption)}" for figure in section.figures]
    parts += [_text(paragraph) for paragraph in section.methods]
    if section.rule:
        parts.append(f"**Rule of the verdict.** {_text(section.rule)}")
    return parts


def _titled_table(shown: ShownTable) -> list[str]:
    parts = [f"**{_text(shown.title)}**", _table(shown.columns, shown.rows, shown.numeric)]
    return [*parts, _text(shown.note)] if shown.note else parts


def _pairs(rows: tuple[tuple[str, str], ...]) -> list[str]:
    return ["\n".join(f"- {_text(name)}: {_text(value)}" for name, value in rows)] if rows else []


def _table(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...], numeric: tuple[bool, ...]) -> str:
    head, *body = ["| " + " | ".join(map(_text, row)) + " |" for row in (columns, *rows)]
    rule = "| " + " | ".join("--:" if right else "---" for right in numeric) + " |"
    return "\n".join((head, rule, *body))


def _text(text: str) -> str:
    """Text as text, on one line: no markup, link, mention or HTML in it takes effect."""
    line = " ".join(text.split())
    line = _MARKUP.sub(lambda found: "\\" + found[0] if found[0] not in _HARMLESS else found[0], line)
    for pattern, escaped in _MEANT:
        line = pattern.sub(escaped, line)
    return line
