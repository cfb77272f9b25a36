"""Corpora: from a name, a path or a hub id to a stream of documents, in bounded memory."""

from geoprobe.sources.corpora.corpus import Continued, Corpus, Part
from geoprobe.sources.corpora.fields import FIELDS
from geoprobe.sources.corpora.named import NAMED_SETS, PYTHON_DOCS, NamedSet, local_folder, local_folders
from geoprobe.sources.corpora.readers import FORMATS
from geoprobe.sources.corpora.resolve import DATA_VARIABLE, open_corpus

__all__ = [
    "DATA_VARIABLE",
    "FIELDS",
    "FORMATS",
    "NAMED_SETS",
    "PYTHON_DOCS",
    "Continued",
    "Corpus",
    "NamedSet",
    "Part",
    "local_folder",
    "local_folders",
    "open_corpus",
]
