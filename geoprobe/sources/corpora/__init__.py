"""Corpora: from a name, a path or a hub id to a stream of documents, in bounded memory."""

from geoprobe.sources.corpora.corpus import Continued, Corpus, Part
from geoprobe.sources.corpora.files import FORMATS
from geoprobe.sources.corpora.named import NAMED_SETS, PYTHON_DOCS, NamedSet, local_folder, local_folders
from geoprobe.sources.corpora.opening import DATA_VARIABLE, open_corpus
from geoprobe.sources.corpora.records import FIELDS

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
