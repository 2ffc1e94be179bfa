"""The NegEx/ConText test kit as a TSV: row, concept, sentence, negation, temporality, experiencer.

A row is a document whose text is the sentence and whose id is the row's. Its one annotation, labelled ``CONCEPT``,
is the concept as it stands in the sentence, where the annotators put it in capitals. The columns negation,
temporality and experiencer are the attributes of those names. Where the concept is not in the sentence the document
has no annotation: :func:`excluded` lists these rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

COLUMNS: tuple[str, ...] = ("row", "concept", "sentence", "negation", "temporality", "experiencer")
LABEL = "CONCEPT"


def read(path: Path) -> Iterator[Document]:
    """The rows of the file as documents.

    Raises:
        CorpusError: when the header is not :data:`COLUMNS`, or a line has another number of fields.
    """
    path = Path(path)
    header, *lines = (line.removesuffix("\r") for line in read_text(path).split("\n"))
    if header.split("\t") != list(COLUMNS):
        raise CorpusError(path, 1, f"the header is not {', '.join(COLUMNS)}")
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != len(COLUMNS):
            raise CorpusError(path, number, f"{len(fields)} fields, not {len(COLUMNS)}")
        row, concept, sentence, *values = fields
        span = find_concept(concept, sentence)
        annotations: tuple[Annotation, ...] = ()
        if span:
            annotations = (
                Annotation(
                    start=span[0],
                    end=span[1],
                    label=LABEL,
                    fragments=(span,),
                    attributes=dict(zip(COLUMNS[3:], values, strict=True)),
                    id="T1",
                ),
            )
        yield Document(doc_id=row, text=sentence, annotations=annotations)


def excluded(path: Path) -> list[str]:
    """The ids of the rows whose concept is not in their sentence: these cannot be scored."""
    return [document.doc_id for document in read(path) if not document.annotations]


def find_concept(concept: str, sentence: str) -> tuple[int, int] | None:
    """Where the annotated mention of a concept stands in its sentence, or ``None``.

    In capitals before any case, whole words before parts of words, the first of several; runs of white space match
    each other.
    """
    tokens = concept.split()
    if not tokens:
        return None
    for form, flags in ((str.upper, 0), (str, re.IGNORECASE)):
        pattern = r"\s+".join(re.escape(form(token)) for token in tokens)
        match = re.search(rf"(?<!\w){pattern}(?!\w)", sentence, flags) or re.search(pattern, sentence, flags)
        if match:
            return match.span()
    return None
