"""The NegEx/ConText test kit as a TSV: row, concept, sentence, negation, temporality, experiencer.

A row is a document whose text is the sentence and whose id is the row's. Its one annotation, labelled ``CONCEPT``,
is the concept as it stands in the sentence, where the annotators put it in capitals. The columns negation,
temporality and experiencer are the attributes of those names. Where the concept is not in the sentence the document
has no annotation: :func:`excluded` lists these rows.

Written is a document of one annotation: its text as it is where :func:`find_concept` finds the mention there, and
with the mention in capitals where it would find another place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from clinspan.corpora._documents import fault, writable
from clinspan.corpora.model import Annotation, CorpusError, Document, read_text

COLUMNS: tuple[str, ...] = ("row", "concept", "sentence", "negation", "temporality", "experiencer")
LABEL = "CONCEPT"

# What is written for a mention without the column's value: by the first of these attributes that is True, or the last.
_DEFAULTS: dict[str, Mapping[str, str]] = {
    "negation": {"negation": "Negated", "negated": "Negated", "": "Affirmed"},
    "temporality": {"hypothetical": "Hypothetical", "historical": "Historical", "": "Recent"},
    "experiencer": {"": "Patient"},
}


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


def write(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as rows of one file.

    A discontinuous mention is written as its envelope; tabs and line breaks become spaces. A mention without the
    attributes is written as affirmed, recent and the patient's, unless clinspan's axes (``negated``, ``historical``,
    ``hypothetical``) say otherwise.

    Raises:
        ValueError: for a document with a :func:`problem`.
    """
    rows = [COLUMNS]
    for document in writable(documents, problem):
        (annotation,) = document.annotations
        concept, sentence = _found(document.text, annotation) or ("", "")
        values = (_value(annotation.attributes, column) for column in COLUMNS[3:])
        rows.append((document.doc_id, concept, sentence, *values))
    lines = ("\t".join(re.sub(r"[\t\r\n]", " ", field) for field in row) for row in rows)
    Path(path).write_bytes("".join(f"{line}\n" for line in lines).encode())


def problem(document: Document) -> str:
    """Why a row cannot hold the document: an id that is empty or has a tab or line break, not exactly one annotation,
    one outside the text, one that is taken for another place even in capitals, or text that is not Unicode. Empty when
    it can."""
    if not document.doc_id.strip() or re.search(r"[\t\r\n]", document.doc_id):
        return "its id is empty or has a tab or line break"
    if len(document.annotations) != 1:
        return f"{len(document.annotations)} annotations, not one"
    if reason := fault(document):
        return reason
    if not _found(document.text, document.annotations[0]):
        return "the mention cannot be told from another place in the text"
    return ""


def _found(text: str, annotation: Annotation) -> tuple[str, str] | None:
    """The concept and the sentence for an annotation, such that the one is found in the other where it should be."""
    surface = text[annotation.start : annotation.end].strip()
    start = text.find(surface, annotation.start)
    end = start + len(surface)
    concept = " ".join(surface.split())
    for written in (surface, surface.upper()):
        sentence = text[:start] + written + text[end:]
        if find_concept(concept, sentence) == (start, start + len(written)):
            return concept, sentence
    return None


def _value(attributes: Mapping[str, str | bool], column: str) -> str:
    value = attributes.get(column)
    if isinstance(value, str):
        return value
    return next(said for name, said in _DEFAULTS[column].items() if not name or attributes.get(name) is True)


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
