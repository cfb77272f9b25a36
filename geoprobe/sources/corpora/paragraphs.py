"""Text files: a paragraph a document."""

from __future__ import annotations

from collections.abc import Iterator

from geoprobe.sources.corpora.corpus import MAX_DOCUMENT, Continued, cut
from geoprobe.sources.corpora.streams import Source, decoded, line_pieces


def paragraphs(source: Source) -> Iterator[str]:
    """Lines up to a blank one; a paragraph longer than `MAX_DOCUMENT` is cut."""
    pending: list[str] = []
    size = 0
    kind: type[str] = str
    with source.open() as stream:
        for line, ended in line_pieces(decoded(stream, source.where), MAX_DOCUMENT):
            if line and not line.isspace():
                pending.append(line + "\n" if ended else line)
                size += len(pending[-1])
                while size > MAX_DOCUMENT + 1:  # the last line's end is not part of the document
                    head, rest = cut("".join(pending))
                    yield kind(head)
                    pending, size, kind = [rest], len(rest), Continued
            elif pending:
                yield kind("".join(pending).removesuffix("\n"))
                pending, size, kind = [], 0, str
    if pending:
        yield kind("".join(pending).removesuffix("\n"))
