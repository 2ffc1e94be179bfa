"""Annotated corpora: one document type, one module a format, one ``spec.json`` a corpus.

A reader yields documents with the corpus's own labels and attributes (:mod:`~clinspan.corpora.formats`);
:func:`map_document` turns them into clinspan's with the corpus's :class:`Spec`; :func:`convert` takes a corpus from
one format to another and says what did not come along.
"""

from clinspan.corpora.conversion import LOSSES, Loss, compare, convert, write_losses
from clinspan.corpora.formats import FORMATS, WRITABLE, Format, guess_format, read_files
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text
from clinspan.corpora.spec import (
    AXES,
    LAYERS,
    Gold,
    Spec,
    data_folder,
    gold_of,
    gold_of_files,
    load_spec,
    map_document,
    read_corpus,
)

__all__ = [
    "AXES",
    "FORMATS",
    "LAYERS",
    "LOSSES",
    "WRITABLE",
    "Annotation",
    "CorpusError",
    "Document",
    "Format",
    "Gold",
    "Loss",
    "Spec",
    "compare",
    "convert",
    "data_folder",
    "gold_of",
    "gold_of_files",
    "guess_format",
    "load_spec",
    "map_document",
    "read_corpus",
    "read_files",
    "read_text",
    "write_losses",
]
